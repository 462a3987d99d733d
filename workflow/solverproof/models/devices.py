"""Where a task is computed."""

import torch

from solverproof.errors import InputError


def device(name: str) -> torch.device:
    """The device of a task: `cpu`, `cuda`, `mps`, or for `auto` the first of cuda, mps and cpu that is there.

    On GPUs TF32 is turned off: its mantissa of 10 bits makes errors of 1e-3 in every product, as large
    as the differences between solvers that a measurement of validity is about.

    Raises:
        InputError: if there is no such device.
    """
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, is_there in here.items() if is_there))
    if not here[name]:
        raise InputError(f"device: there is no {name} on this machine; write device: auto or cpu")
    return torch.device(name)
