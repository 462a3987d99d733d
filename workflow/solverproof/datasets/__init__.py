"""Data sets: arrays of samples and labels, made from a specification alone.

A data set is four arrays: `train_x`, `test_x` of shape (samples, channels, *spatial), float32,
and `train_y`, `test_y` of shape (samples,), int64, with labels 0 … classes - 1.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

CLASSES = {"spheres": 2, "digits": 10}


def make(data: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Make the data set that `data` (the `data` key of a task) describes."""
    options = {key: value for key, value in data.items() if key != "family"}
    if data["family"] == "spheres":
        from solverproof.datasets.spheres import spheres

        return spheres(**options)
    from solverproof.datasets.digits import digits

    return digits(**options)
