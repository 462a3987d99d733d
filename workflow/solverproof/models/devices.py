"""Where a task is computed."""

import torch

from solverproof.errors import InputError


def chosen_device(name: str) -> torch.device:
    """The device of a task: `cpu`, `cuda`, `mps`; `auto` is the first available of cuda, mps, cpu.

    Raises:
        InputError: if the device is not available.
    """
    here = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, is_there in here.items() if is_there))
    if not here[name]:
        raise InputError(f"device: there is no {name} on this machine; write device: auto or cpu")
    return torch.device(name)


def use_full_precision() -> None:
    """Turn TF32 off, on GPUs that have it.

    Its 10-bit mantissa causes relative errors of 1e-3 in every product, as large as the differences
    between solvers that validity is about.
    """
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
