"""What a stage wrote, so that a stage that reads it knows if it was changed since.

The checksum of `ROOT/models/CELL/weights.safetensors` is the only line of
`ROOT/checksums/models/CELL/weights.safetensors.sha256`, and alike in every folder that stages hand
their files over in. So a file that is damaged, edited, or was put in the place of another is told
from what was written there.
"""

from collections.abc import Iterable
from pathlib import Path

from solverproof.errors import InputError
from solverproof.files import sha256_of, write_text

FOLDERS = {
    "data", "models", "evaluations", "references", "audits", "traces", "explorations", "tables",
}  # fmt: skip


def record(paths: Iterable[Path]) -> None:
    """Write down the checksums of files that a stage has written.

    Raises:
        InputError: if the disk is full or the folder cannot be written.
    """
    for path in paths:
        if place := place_of(path):
            write_text(place, sha256_of(path) + "\n")


def verify(paths: Iterable[Path]) -> None:
    """Compare files that a stage is about to read with their checksums.

    A file without one is let through: it is of an earlier version, or no stage wrote it.

    Raises:
        InputError: if one is not what was written; in one line, which says what to do.
    """
    for path in paths:
        place = place_of(path)
        if place is None or not place.is_file() or not path.is_file():
            continue  # reading a file that is not there says so itself
        if place.read_bytes().strip() != sha256_of(path).encode():
            raise InputError(
                f"{path} is not what its job wrote: it was changed or replaced since; delete it, "
                "and the same command makes it again"
            )


def place_of(path: Path) -> Path | None:
    """Where the checksum of a file is; None of a file in no folder of `FOLDERS`."""
    above = [i for i, part in enumerate(path.parts[:-1]) if part in FOLDERS]
    if not above:
        return None
    root, inside = Path(*path.parts[: above[-1]]), Path(*path.parts[above[-1] :])
    return root / "checksums" / inside.with_name(f"{inside.name}.sha256")
