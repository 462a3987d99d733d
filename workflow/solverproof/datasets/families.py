"""Data sets: arrays of samples and labels, made from a specification alone.

A data set is four arrays: `train_x`, `test_x` of shape (samples, channels, *spatial), float32,
and `train_y`, `test_y` of shape (samples,), int64, with labels 0 … classes - 1. Those of published
images have samples of levels 0 … 255 instead, uint8.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import numpy as np

CLASSES = {"spheres": 2, "minima": 3, "digits": 10, "cifar10": 10, "mnist": 10, "fashion_mnist": 10}
IMAGES = {"cifar10": (3, 32), "mnist": (1, 28), "fashion_mnist": (1, 28)}  # channels and side of published images


def classes(data: Mapping[str, Any]) -> int:
    """How many classes a data set has."""
    return int(data["classes"]) if data["family"] == "file" else CLASSES[data["family"]]


def shape(data: Mapping[str, Any]) -> tuple[int, ...] | None:
    """Shape (channels, *spatial) of a sample where it is known without making the data set."""
    match data["family"]:
        case "spheres":
            return (1, data["dimension"])
        case "minima":
            return (1, 2)
        case "digits":
            return (1, 8, 8)
        case family if family in IMAGES:
            channels, side = IMAGES[family]
            return (channels, side // data["pool"], side // data["pool"])
    return None


def module(data: Mapping[str, Any]) -> str:
    """The module that makes a data set, below `solverproof`."""
    family: str = data["family"]
    return "datasets." + {"file": "user_file"}.get(family, family)


def make(data: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Make the data set that `data` (the `data` key of a task) describes.

    A family is a function of its own name. That of published images is
    handed the `files` they are in.

    Raises:
        InputError: if a file that is needed cannot be had or is not what it should be.
    """
    family = data["family"]
    options = {key: value for key, value in data.items() if key != "family"}
    if family in IMAGES:
        from solverproof.datasets.downloads import obtain
        from solverproof.datasets.published import files

        options["files"] = obtain(files(family, options.pop("sha256", {})))
    maker: Callable[..., dict[str, np.ndarray]]
    maker = getattr(import_module(f"solverproof.{module(data)}"), family)
    return maker(**options)
