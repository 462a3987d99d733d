"""Data sets: arrays of samples and labels, made from a specification alone.

A data set is four arrays: `train_x`, `test_x` of shape (samples, channels, *spatial), float32,
and `train_y`, `test_y` of shape (samples,), int64, with labels 0 … classes - 1.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import numpy as np

CLASSES = {"spheres": 2, "digits": 10}


def shape(data: Mapping[str, Any]) -> tuple[int, ...]:
    """Shape (channels, *spatial) of a sample, known without making the data set."""
    return (1, data["dimension"]) if data["family"] == "spheres" else (1, 8, 8)


def make(data: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Make the data set that `data` (the `data` key of a task) describes.

    A family is a module of this package with a function of its own name.
    """
    family = data["family"]
    options = {key: value for key, value in data.items() if key != "family"}
    maker: Callable[..., dict[str, np.ndarray]] = getattr(import_module(f"{__name__}.{family}"), family)
    return maker(**options)
