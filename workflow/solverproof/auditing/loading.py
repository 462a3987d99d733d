"""A model that the command line names: built by the user's code, with weights and data from files.

No file is opened that could run code: weights are safetensors, or read with `weights_only`.
"""

import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from solverproof.errors import InputError
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
    with guarded(build):
        made = found(build)()
    if weights is not None:
        _fill(made, _weights(weights), weights)
    parts = {name: getattr(made, name, None) for name in PARTS}
    if parts["field"] is None:
        parts = {"field": made, "encode": None, "head": None}
    for part in (made, *parts.values()):
        if isinstance(part, nn.Module):
            part.to(device).eval()
    arrays = _arrays(data)
    x = torch.from_numpy(_array(arrays, data, "x")).to(device)
    z0 = x
    if parts["encode"] is not None:
        with guarded(build), torch.no_grad():
            z0 = parts["encode"](x)
    return Model(
        parts["field"],
        z0,
        found(head) if head else parts["head"],
        torch.from_numpy(_array(arrays, data, labels)).to(device) if labels else None,
    )


def _weights(path: Path) -> Mapping[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, weights_only=True, map_location="cpu")
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file; write the path of the weights") from error
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise InputError(
            f"{path}: not read without running code in it; save a state_dict as safetensors"
        ) from error
    if not isinstance(content, Mapping):
        raise InputError(f"{path}: holds {type(content).__name__}; save a state_dict")
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
        try:
            module.load_state_dict(own)
        except RuntimeError as error:
            lines = [line.strip() for line in str(error).splitlines()[1:]] or [str(error)]
            raise InputError(f"{path}: the weights do not fit: {lines[0]}") from error


def _arrays(path: Path) -> Mapping[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file; write the path of an .npz") from error
    except (ValueError, AttributeError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise InputError(f"{path}: not an .npz of numbers; write it with numpy.savez") from error


def _array(arrays: Mapping[str, np.ndarray], path: Path, name: str) -> np.ndarray:
    if name == "x" and name not in arrays and len(arrays) == 1:
        return next(iter(arrays.values()))
    if name not in arrays:
        raise InputError(f"{path}: there is no array '{name}'; it has {', '.join(arrays)}")
    return arrays[name]
