"""How fast training is, against its floor and against plain torchdiffeq, in one run."""

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  the name all of PyTorch's documentation uses
from torch import nn
from torchdiffeq import odeint

from solverproof.datasets.spheres import spheres
from solverproof.solvers import SOLVERS, Setting
from solverproof.training import train

BATCH, CHANNELS, DIMENSION, STEPS = 128, 32, 2, 64
SEEDS = 5  # the block size of the default study
ITERATIONS = 20  # of each measurement


def report(*, repeats: int) -> str:
    """Milliseconds per seed and iteration of sphere2 (Euler, N = 64), as a Markdown table.

    The ways are measured in turn, `repeats` times, so that a busy moment of the machine falls on
    all of them. The ratios are of medians.

    Args:
        repeats: measurements of each way.
    """
    data = spheres(dimension=DIMENSION, train=2000, test=4, seed=0)
    width = CHANNELS * DIMENSION
    ways: dict[str, tuple[Callable[[], object], int]] = {
        f"this code, block of {SEEDS} seeds": (lambda: _train(data, SEEDS), SEEDS),
        "this code, one seed": (lambda: _train(data, 1), 1),
        "plain torchdiffeq with Conv1d, one seed": (lambda: _train_plainly(data), 1),
        f"floor: the {width}x{width} matrix products alone, {SEEDS} seeds": (_multiply, SEEDS),
    }
    measured = _measure([way for way, _ in ways.values()], repeats)
    times = [
        [1e3 * s / ITERATIONS / seeds for s in seconds]
        for seconds, (_, seeds) in zip(measured, ways.values(), strict=True)
    ]
    ours, _, plain, floor = (statistics.median(t) for t in times)
    return "\n".join(
        [
            f"sphere2, Euler, N = {STEPS}, batch {BATCH}, {CHANNELS} channels, float32, one thread",
            "",
            "| way | ms per seed and iteration, median | fastest |",
            "|---|---:|---:|",
            *(f"| {way} | {statistics.median(t):.1f} | {min(t):.1f} |" for way, t in zip(ways, times, strict=True)),
            "",
            f"this code: {ours / floor:.1f} x the floor, {plain / ours:.1f} x as fast as plain torchdiffeq",
        ]
    )


def _measure(ways: list[Callable[[], object]], repeats: int) -> list[list[float]]:
    """Seconds of each call, in turns, after one round to warm up."""
    seconds: list[list[float]] = [[] for _ in ways]
    for _ in range(repeats + 1):
        for way, times in zip(ways, seconds, strict=True):
            started = time.perf_counter()
            way()
            times.append(time.perf_counter() - started)
    return [times[1:] for times in seconds]


def _train(data: dict[str, np.ndarray], seeds: int) -> None:
    """The study's own training."""
    network = {"family": "conv", "channels": CHANNELS}
    protocol = {
        "iterations": ITERATIONS,
        "batch": BATCH,
        "learning_rate": 1e-4,
        "gradient": "backpropagation",
        "history_every": ITERATIONS,
    }
    model = {"network": network, "classes": 2, "horizon": 1.0}
    spec = {"identity": "bench", "model": model, "protocol": protocol, "seeds": list(range(seeds)), "device": "cpu"}
    train(spec, data, lambda _: Setting(SOLVERS["euler"], STEPS))


def _train_plainly(data: dict[str, np.ndarray]) -> None:
    """What one would write first: modules, odeint, one seed."""
    x, y = torch.from_numpy(data["train_x"]), torch.from_numpy(data["train_y"])
    field = nn.Sequential(
        nn.Conv1d(1, CHANNELS, 1),
        nn.ReLU(),
        nn.Conv1d(CHANNELS, CHANNELS, 3, padding=1),
        nn.ReLU(),
        nn.Conv1d(CHANNELS, 1, 1),
    )
    head = nn.Linear(DIMENSION, 2)
    optimizer = torch.optim.Adam([*field.parameters(), *head.parameters()], lr=1e-4)
    for _ in range(ITERATIONS):
        index = torch.randint(len(x), (BATCH,))
        state = odeint(
            lambda _, z: field(z), x[index], torch.tensor([0.0, 1.0]), method="euler", options={"step_size": 1 / STEPS}
        )[-1]
        optimizer.zero_grad()
        F.cross_entropy(head(state.flatten(1)), y[index]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def _multiply() -> None:
    """The field's large matrix products: one forward and two backward per step."""
    width = CHANNELS * DIMENSION
    activations, weights = torch.ones(SEEDS, BATCH, width), torch.ones(SEEDS, width, width)
    for _ in range(ITERATIONS * STEPS):
        torch.bmm(activations, weights)
        torch.bmm(activations, weights.mT)
        torch.bmm(activations.mT, activations)
