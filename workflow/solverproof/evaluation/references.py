"""The reference solutions of a trained cell as arrays, for what judges its models later."""

from collections.abc import Mapping

import numpy as np
import torch

from solverproof.auditing.reference import Reference

TENSORS = ("state", "outputs", "distance", "resolved", "sure")


def to_arrays(flows: Mapping[int, Reference]) -> dict[str, np.ndarray]:
    """Arrays `SEED.state`, ... of the references of some seeds.

    Args:
        flows: the references by seed.
    """
    return {
        f"{seed}.{name}": array for seed, flow in flows.items() for name, array in _arrays(flow)
    }


def from_arrays(arrays: Mapping[str, np.ndarray]) -> dict[int, Reference]:
    """The references by seed, of arrays that `to_arrays` made; on the CPU."""
    seeds = sorted({int(name.partition(".")[0]) for name in arrays})
    return {seed: _reference(arrays, f"{seed}.") for seed in seeds}


def _arrays(flow: Reference) -> list[tuple[str, np.ndarray]]:
    given = ((name, getattr(flow, name)) for name in TENSORS)
    tensors = [(name, tensor.cpu().numpy()) for name, tensor in given if tensor is not None]
    # Arrays hold no text but as bytes.
    told = np.frombuffer((flow.reason or "").encode(), np.uint8)
    return [*tensors, ("nfe", np.array([flow.nfe])), ("reason", told)]


def _reference(arrays: Mapping[str, np.ndarray], prefix: str) -> Reference:
    found = ((name, arrays.get(prefix + name)) for name in TENSORS)
    tensors = {name: torch.from_numpy(array) for name, array in found if array is not None}
    reason = arrays[f"{prefix}reason"].tobytes().decode() or None
    status = "unresolved" if reason else "ok"
    return Reference(**tensors, nfe=int(arrays[f"{prefix}nfe"][0]), status=status, reason=reason)
