"""A model that the command line names: built by the user's code, with weights and data from files.

No file is opened that could run code: weights are safetensors, or read with `weights_only`.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from solverproof.datasets.readers import read_npz
from solverproof.errors import InputError, shown
from solverproof.paths import regular
from solverproof.user_code import found, guarded

PARTS = ("field", "encode", "head")


@dataclass(frozen=True)
class Model:
    """What an audit is called with.

    Attributes:
        field: the right-hand side.
        z0: initial states.
        head: from end states to outputs; None without one.
        labels: the class of each sample; None if they are not given.
    """

    field: Any
    z0: Tensor
    head: Any
    labels: Tensor | None


def load(
    build: str,
    data: Path,
    *,
    weights: Path | None = None,
    head: str | None = None,
    labels: str | None = None,
    device: str = "cpu",
) -> Model:
    """Build a model, fill it with weights, and make initial states of data.

    Args:
        build: import path of a function without arguments that returns the field; or an object
            with `field` and, where it has them, `encode`, from inputs to initial states, and
            `head`.
        data: an .npz file whose array `x` has the inputs, or its only array.
        weights: a file of safetensors, or one that `torch.load` reads with `weights_only`.
        head: import path of a function from end states to outputs, in place of the object's.
        labels: name of the array of labels.
        device: where everything is computed.

    Raises:
        InputError: if something is missing or does not fit, in one line.
    """
    place, make = _device(device), found(build)
    if not callable(make):
        raise InputError(f"{build} is {type(make).__name__}; name a function that builds the model")
    with guarded(build):
        made = make()
    if weights is not None:
        _fill(made, _weights(weights), weights)
    parts = {name: getattr(made, name, None) for name in PARTS}
    if parts["field"] is None:
        parts = {"field": made, "encode": None, "head": None}
    for part in (made, *parts.values()):
        if isinstance(part, nn.Module):
            part.to(place).eval()
    arrays = _arrays(data)
    x = _array(arrays, data, "x").to(place)
    z0 = x
    if parts["encode"] is not None:
        with guarded(build), torch.no_grad():
            z0 = parts["encode"](x)
    return Model(
        parts["field"],
        z0,
        found(head) if head else parts["head"],
        _array(arrays, data, labels).to(place) if labels else None,
    )


def _weights(path: Path) -> Mapping[str, Tensor]:
    regular(path)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings(action="ignore"):  # of unusual files, which are refused or not
            content = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # the readers of damaged files raise whatever comes
        raise InputError(
            f"{path}: not read without running code in it; save a state_dict as safetensors"
        ) from error
    if not isinstance(content, Mapping) or not all(isinstance(w, Tensor) for w in content.values()):
        raise InputError(f"{path}: holds no tensors by name; save a state_dict")
    return content


def _fill(made: Any, weights: Mapping[str, Tensor], path: Path) -> None:
    """Load weights into a module, or by the names of its parts into those of another object."""
    modules = {"": made} if isinstance(made, nn.Module) else {
        f"{name}.": getattr(made, name)
        for name in PARTS
        if isinstance(getattr(made, name, None), nn.Module)
    }  # fmt: skip
    if not modules:
        raise InputError(f"{path}: what was built is no module; leave the weights out")
    for prefix, module in modules.items():
        own = {n.removeprefix(prefix): w for n, w in weights.items() if n.startswith(prefix)}
        for name, there in module.state_dict().items():
            if _imaginary_part_is_lost(own.get(name), there):
                raise InputError(f"{path}: the weights do not fit: {prefix}{name} is complex")
        try:
            module.load_state_dict(own)
        except RuntimeError as error:
            lines = [line.strip() for line in str(error).splitlines()[1:]] or [str(error)]
            raise InputError(f"{path}: the weights do not fit: {lines[0]}") from error


def _imaginary_part_is_lost(given: object, there: object) -> bool:
    """Whether `load_state_dict` would drop it. What a module keeps besides may be of any type."""
    if not (isinstance(given, Tensor) and isinstance(there, Tensor)):
        return False
    return given.is_complex() and not there.is_complex()


def _arrays(path: Path) -> Mapping[str, np.ndarray]:
    regular(path)
    try:
        return read_npz(path, list)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _array(arrays: Mapping[str, np.ndarray], path: Path, name: str) -> Tensor:
    if name == "x" and name not in arrays and len(arrays) == 1:
        (name,) = arrays
    if name not in arrays:
        raise InputError(f"{path}: there is no array {shown(name)}; it has {', '.join(arrays)}")
    array = arrays[name]
    try:
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))
    except TypeError as error:
        wrong = f"array {shown(name)} has dtype {array.dtype}"
        raise InputError(f"{path}: {wrong}; save numbers of at most 64 bits") from error


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # on `meta` tensors have no values
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"--device {shown(name)} is not there; write cpu, cuda or mps") from error
    return device
