"""Checks of arrays that the user gives: samples, and labels of classes or real values."""

import numpy as np

from solverproof.datasets.base import Arrays
from solverproof.datasets.readers import SPLIT
from solverproof.errors import InputError


def checked(arrays: Arrays, *, values: int | None = None) -> Arrays:
    """Arrays whose samples are float32 of shape (samples, channels, *spatial).

    Args:
        arrays: `x` and `y`, or `train_x`, `train_y`, `test_x`, `test_y`; flat samples (samples,
            features) get a channel in front, (1, features), as do grey images (samples, height,
            width); (samples, channels, height, width) stay.
        values: the number of real-valued targets, which become float32 of shape (samples, values);
            None: the targets are labels.

    Raises:
        InputError: if an array has the wrong type, shape or content.
    """
    samples = {name: _samples(name, array) for name, array in arrays.items() if name.endswith("x")}
    targets = {
        name: _values(name, array, values) if values else _labels(name, array)
        for name, array in arrays.items()
        if name.endswith("y")
    }
    for (x_name, x), (y_name, y) in zip(samples.items(), targets.items(), strict=True):
        if len(x) != len(y):
            kind, one = ("targets", "one row") if values else ("labels", "one label")
            raise InputError(
                f"{x_name} has {len(x)} samples, {y_name} {len(y)} {kind}; "
                f"write {one} for each sample"
            )
    return {**samples, **targets}


def data_set(arrays: Arrays, *, classes: int | None, values: int | None) -> dict[str, np.ndarray]:
    """A data set from checked arrays of both parts.

    Labels are counted from 0 in sorted order. Real values are standardised over the training part,
    so that an error of 1 is that of predicting their mean; `target_mean` and `target_scale`, shape
    (values,), have what takes them back.

    Args:
        arrays: `train_x`, `train_y`, `test_x`, `test_y`, as from `checked`.
        classes: number of classes that there must be.
        values: number of real-valued targets, in place of classes.

    Raises:
        InputError: if both parts do not fit each other, or the classes.
    """
    _check_parts(arrays["train_x"], arrays["test_x"])
    return _standardised(arrays) if values else _numbered(arrays, classes)


def _standardised(arrays: Arrays) -> dict[str, np.ndarray]:
    train = arrays["train_y"].astype(np.float64)
    mean, scale = train.mean(axis=0), train.std(axis=0)
    for constant in np.flatnonzero(scale == 0)[:1]:
        raise InputError(
            f"target {constant} is {mean[constant]:g} for all training samples; leave it out"
        )
    targets = {
        name: ((arrays[name] - mean) / scale).astype(np.float32) for name in ("train_y", "test_y")
    }
    scales = {"target_mean": mean.astype(np.float32), "target_scale": scale.astype(np.float32)}
    return {**{name: arrays[name] for name in ("train_x", "test_x")}, **targets, **scales}


def _samples(name: str, x: np.ndarray) -> np.ndarray:
    if x.dtype.kind not in "biuf":
        raise InputError(f"{name} has dtype {x.dtype}; features are real numbers")
    if x.ndim not in {2, 3, 4} or x.size == 0:
        shapes = (
            "(samples, features), (samples, height, width) or (samples, channels, height, width)"
        )
        raise InputError(f"{name} has shape {x.shape}; give it a shape {shapes} without zeros")
    # An overflow to infinity is reported below, with its place.
    with np.errstate(over="ignore"):
        samples = x.astype(np.float32)
    for index in np.argwhere(~np.isfinite(samples))[:1]:
        where = ", ".join(map(str, index))
        raise InputError(
            f"{name}[{where}] is {x[tuple(index)]}, not finite in float32; "
            "correct or remove the sample"
        )
    return samples if x.ndim == 4 else samples[:, None]


def _labels(name: str, y: np.ndarray) -> np.ndarray:
    if y.dtype.kind not in "biufU":
        raise InputError(f"{name} has dtype {y.dtype}; labels are whole numbers or text")
    if y.ndim != 1:
        raise InputError(f"{name} has shape {y.shape}; give it the shape (samples,)")
    for index in np.flatnonzero(y == "" if y.dtype.kind == "U" else ~np.isfinite(y))[:1]:
        raise InputError(
            f"{name}[{index}] is '{y[index]}', which labels nothing; correct or remove the sample"
        )
    for index in np.flatnonzero(np.floor(y) != y)[:1] if y.dtype.kind == "f" else ():
        raise InputError(
            f"{name}[{index}] is {y[index]}; labels of classes are whole numbers or text"
        )
    return y


def _values(name: str, y: np.ndarray, values: int) -> np.ndarray:
    if y.dtype.kind not in "biuf":
        raise InputError(f"{name} has dtype {y.dtype}; real-valued targets are numbers")
    y = y[:, None] if y.ndim == 1 else y
    if y.ndim != 2 or y.shape[1] != values:
        raise InputError(f"{name} has shape {y.shape}; give it the shape (samples, {values})")
    for index in np.argwhere(~np.isfinite(y))[:1]:
        where = ", ".join(map(str, index))
        raise InputError(f"{name}[{where}] is {y[tuple(index)]}; correct or remove the sample")
    return y.astype(np.float64)


def _numbered(arrays: Arrays, classes: int | None) -> dict[str, np.ndarray]:
    """Arrays with labels counted from 0 in sorted order."""
    train_x, train_y, test_x, test_y = (arrays[name] for name in SPLIT)
    names = np.unique(train_y)
    if len(names) < 2:
        raise InputError(
            f"all labels to train with are '{names[0]}'; a classifier needs two classes or more"
        )
    if len(names) != classes:
        raise InputError(
            f"there are {len(names)} classes in the training part; write classes: {len(names)}"
        )
    for unknown in np.setdiff1d(test_y, names)[:1]:
        raise InputError(f"class '{unknown}' is tested but not trained; add training samples of it")
    labels = {
        name: np.searchsorted(names, arrays[name]).astype(np.int64)
        for name in ("train_y", "test_y")
    }
    return {"train_x": train_x, "test_x": test_x, **labels}


def _check_parts(train_x: np.ndarray, test_x: np.ndarray) -> None:
    train, test = train_x.shape[1:], test_x.shape[1:]
    if train != test:
        raise InputError(
            f"samples to train with have shape {train}, to test with {test}; make them equal"
        )
    if both := _contents(train_x) & _contents(test_x):
        raise InputError(
            f"{len(both)} samples are both trained and tested with; remove the duplicates"
        )


def _contents(x: np.ndarray) -> set[bytes]:
    """The set of samples, as bytes."""
    # Adding zero turns -0.0 into 0.0, which has other bytes.
    return {sample.tobytes() for sample in x + np.float32(0)}
