"""Reading and writing files, such that a reader never sees a partial file."""

import csv
import hashlib
import io
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from solverproof.errors import InputError
from solverproof.paths import regular

DAMAGED = "damaged, or of another kind; delete it, and the job that writes it makes it again"


def write_atomically(path: Path, content: bytes) -> None:
    """Write a temporary file beside `path`, then rename it into place.

    Two processes writing the same path at once (an orphan of a killed run and its successor)
    each use their own temporary file; the last rename wins, whole.

    Raises:
        InputError: if the disk is full, a quota is reached or the folder cannot be written; `path`
            is then unchanged.
    """
    # In the same folder, because a rename is atomic only within one file system.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or error
        remedy = "make room or allow writing there, or choose another folder"
        raise InputError(f"{path}: {reason}; {remedy}") from error


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    write_atomically(path, text.encode())


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically, with sorted keys."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: if there is none, or it is damaged.
    """
    try:
        return json.loads(regular(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: {DAMAGED}") from error


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays as safetensors, atomically; the bytes depend only on the content."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    write_atomically(path, save(contiguous))


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read named arrays from a safetensors file.

    Raises:
        InputError: if there is none, or it is damaged.
    """
    try:
        return load_file(regular(path))
    except (SafetensorError, KeyError) as error:  # a kind of number that NumPy lacks
        raise InputError(f"{path}: {DAMAGED}") from error


def sha256_of(path: Path) -> str:
    """Checksum of a file, read in pieces.

    Raises:
        InputError: if there is none.
    """
    with regular(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def columns(row: type) -> list[str]:
    """The columns of a table whose rows are instances of this dataclass."""
    return [field.name for field in fields(row)]


def write_table(path: Path, row: type, rows: Sequence[Any]) -> None:
    """Write rows as CSV, atomically; floats in full precision, None and NaN empty.

    Args:
        path: the file.
        row: the dataclass of the rows, whose fields are the columns.
        rows: instances of it; without any, the table has only its header line.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=columns(row), lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: _csv_value(v) for k, v in vars(instance).items()} for instance in rows)
    write_text(path, text.getvalue())


def _csv_value(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return None if isinstance(value, float) and math.isnan(value) else value
