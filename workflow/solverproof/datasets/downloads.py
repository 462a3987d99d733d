"""Published files: found in a folder or downloaded into it, and verified before anything opens them."""

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from solverproof.errors import InputError
from solverproof.files import sha256_of

VARIABLE = "SOLVERPROOF_DATA"
FOLDER = "downloads"
PAUSES = (0, 2, 5, 15)  # seconds before each round over all mirrors
TIMEOUT = 30  # seconds without a byte
PIECE = 1 << 16
ELSEWHERE = f"name a folder that has it by source: or {VARIABLE}"


@dataclass(frozen=True)
class File:
    """A published file.

    Attributes:
        path: where it lies below the source folder.
        size: its bytes.
        sha256: its checksum.
        mirrors: URLs to download it from; none of a copy of the user's own.
    """

    path: str
    size: int
    sha256: str
    mirrors: tuple[str, ...]


class _MirrorError(Exception):
    """A mirror did not deliver; another one may."""


def source() -> Path:
    """The folder in which published files are looked for, and into which missing ones are downloaded."""
    return Path(os.environ.get(VARIABLE) or FOLDER)


def obtain(files: Sequence[File]) -> list[Path]:
    """Paths of files whose content has been verified, downloaded where they were missing.

    Raises:
        InputError: if a file is not the expected one, cannot be downloaded, or the folder cannot be used.
    """
    folder = source()
    paths = [folder / file.path for file in files]
    try:
        for file, path in zip(files, paths, strict=True):
            if not path.exists():
                _download(file, path)
        _verify({path: file.sha256 for file, path in zip(files, paths, strict=True)})
    except OSError as error:
        raise InputError(f"{error.filename or folder}: {error.strerror}; mend that, or {ELSEWHERE}") from error
    return paths


def _verify(expected: Mapping[Path, str]) -> None:
    """Tell all files that are not the expected ones at once, as they would be written into a configuration."""
    found = {path: sha256_of(path) for path in expected}
    if wrong := [path for path in expected if found[path] != expected[path]]:
        is_, should = (json.dumps({path.name: sums[path] for path in wrong}) for sums in (found, expected))
        remedy = "remove broken files to download them again, or add what was found to the task's data if it is meant"
        raise InputError(f"{wrong[0].parent}: found sha256: {is_}, expected {should}; {remedy}")


def _download(file: File, path: Path) -> None:
    """Download a file; what has arrived when it breaks off stays beside it as .part, to be continued."""
    if not file.mirrors:
        missing = "there is no such file, and only the published one can be downloaded"
        raise InputError(f"{path}: {missing}; put your copy there, remove its sha256, or {ELSEWHERE}")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with part.open("ab") as partial:
        fcntl.flock(partial, fcntl.LOCK_EX)  # jobs of two tasks may want the same file
        partial.seek(0, os.SEEK_END)
        try:
            if not path.exists():
                _fill(file, partial)
                part.replace(path)
        finally:
            if not partial.tell():
                part.unlink(missing_ok=True)


def _fill(file: File, partial: BinaryIO) -> None:
    failures = {}
    for pause in PAUSES:
        time.sleep(pause)
        for mirror in file.mirrors:
            try:
                _continue(mirror, file, partial)
            except _MirrorError as error:
                failures[mirror] = error
                print(f"{mirror}: {error}", flush=True)
            else:
                return
    tried = ", ".join(f"{mirror} ({error})" for mirror, error in failures.items())
    raise InputError(f"{file.path}: no mirror delivered it, tried were {tried}; try again later, or {ELSEWHERE}")


def _continue(mirror: str, file: File, partial: BinaryIO) -> None:
    """Complete a partial file from one mirror, and discard it if it then is another than the published one."""
    told = 0
    for position, piece in _pieces(mirror, partial.tell(), file.size):
        partial.seek(position)
        partial.truncate()
        partial.write(piece)
        if (tenths := 10 * partial.tell() // file.size) > told:
            told = tenths
            print(f"{file.path}: {10 * tenths} % of {file.size / 1e6:.1f} MB", flush=True)
    partial.flush()
    if partial.tell() < file.size:
        raise _MirrorError(f"broke off after {partial.tell()} of {file.size} bytes")
    if (found := sha256_of(Path(partial.name))) != file.sha256:
        partial.seek(0)
        partial.truncate()
        raise _MirrorError(f"the file has the checksum {found}, not {file.sha256}")


def _pieces(url: str, position: int, size: int) -> Iterator[tuple[int, bytes]]:
    """What follows a position, in pieces with theirs; from the start on where a server does not do ranges.

    Only errors of the network become those of the mirror: what its consumer raises is not seen here.
    """
    if position >= size:
        return
    try:
        request = Request(url, headers={"Range": f"bytes={position}-"})  # noqa: S310  mirrors are http(s)
        with urlopen(request, timeout=TIMEOUT) as response:  # noqa: S310
            position = position if response.status == 206 else 0
            # a page of an error or of a captive network must not be taken for the beginning of the file
            if (offered := position + int(response.headers["Content-Length"] or 0)) != size:
                raise _MirrorError(f"offers {offered} bytes, not {size}")
            while piece := response.read(PIECE):
                yield position, piece
                position += len(piece)
    except HTTPError as error:
        error.close()  # it is a response, too
        raise _MirrorError(error) from error
    except (OSError, HTTPException, ValueError) as error:
        raise _MirrorError(error) from error
