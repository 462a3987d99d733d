"""What may be read."""

import os
from pathlib import Path

from solverproof.errors import InputError


def regular(path: Path) -> Path:
    """The path of a file that can be read.

    Raises:
        InputError: if nothing is there, or a folder, a pipe or a device, whose reading may not end.
    """
    if not os.path.lexists(path):
        raise InputError(f"{path}: there is no such file; name one that is there")
    if not os.path.isfile(path):  # noqa: PTH113 (Path.is_file raises of some paths)
        raise InputError(f"{path}: this is no file; name one")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: this file may not be read; allow it (chmod +r)")
    return path
