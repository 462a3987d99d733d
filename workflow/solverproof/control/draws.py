"""Random numbers of steps."""

import math

import numpy as np


def steps_between(fewest: int, most: int, random: np.random.Generator) -> int:
    """A number of steps between two, uniform in its logarithm."""
    # Rounding down gives N the share log((N + 1) / N), so the range ends at log(most + 1).
    return math.floor(math.exp(random.uniform(math.log(fewest), math.log(most + 1))))


def one_of_two(fewest: int, most: int, random: np.random.Generator) -> int:
    """One of two numbers of steps, each half the times."""
    return fewest if random.random() < 0.5 else most


DRAWS = {"log_uniform": steps_between, "two_point": one_of_two}
