"""Published files, found in a folder or downloaded into it, and verified before they are opened."""

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
        path: its path below the source folder.
        size: its size in bytes.
        sha256: its checksum.
        mirrors: URLs to download it from; none for the user's own copy.
    """

    path: str
    size: int
    sha256: str
    mirrors: tuple[str, ...]


class _MirrorError(Exception):
    """A mirror did not deliver; another one may."""


def source() -> Path:
    """The folder of published files, into which missing ones are downloaded."""
    return Path(os.environ.get(VARIABLE) or FOLDER)


def obtain(files: Sequence[File]) -> list[Path]:
    """Paths of verified files, downloaded where they were missing.

    Raises:
        InputError: if a file is not the expected one, cannot be downloaded, or the folder cannot be
            used.
    """
    folder = source()
    paths = [folder / file.path for file in files]
    try:
        for file, path in zip(files, paths, strict=True):
            if not path.exists():
                _download(file, path)
        _verify({path: file.sha256 for file, path in zip(files, paths, strict=True)})
    except OSError as error:
        raise InputError(
            f"{error.filename or folder}: {error.strerror}; fix that, or {ELSEWHERE}"
        ) from error
    return paths


def _verify(expected: Mapping[Path, str]) -> None:
    """Report all unexpected files at once, in the form in which a configuration accepts them."""
    found = {path: sha256_of(path) for path in expected}
    if wrong := [path for path in expected if found[path] != expected[path]]:
        is_, should = (
            json.dumps({path.name: sums[path] for path in wrong}) for sums in (found, expected)
        )
        remedy = (
            "remove broken files to download them again, or add what was found to the task's data "
            "if it is meant"
        )
        raise InputError(f"{wrong[0].parent}: found sha256: {is_}, expected {should}; {remedy}")


def _download(file: File, path: Path) -> None:
    """Download a file; an interrupted download is kept beside it as .part, to be continued."""
    if not file.mirrors:
        missing = "there is no such file, and only the published one can be downloaded"
        raise InputError(
            f"{path}: {missing}; put your copy there, remove its sha256, or {ELSEWHERE}"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with part.open("ab") as partial:
        # Jobs of two tasks may want the same file; the second one waits and then finds it.
        fcntl.flock(partial, fcntl.LOCK_EX)
        partial.seek(0, os.SEEK_END)
        try:
            if not path.exists():
                _fill(file, partial)
                part.replace(path)
        finally:
            # Nothing arrived, so there is nothing to continue.
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
    raise InputError(
        f"{file.path}: no mirror delivered it, tried were {tried}; try again later, or {ELSEWHERE}"
    )


def _continue(mirror: str, file: File, partial: BinaryIO) -> None:
    """Complete a partial file from one mirror; discard it if it is not the published file then."""
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
    """The rest of a file from a position on, as pieces with their positions.

    It starts from 0 where a server ignores ranges. Only errors of the network become errors of the
    mirror: exceptions of the consumer are not raised here.
    """
    if position >= size:
        return
    try:
        # S310 warns of other schemes; the mirrors are http(s).
        request = Request(url, headers={"Range": f"bytes={position}-"})  # noqa: S310
        with urlopen(request, timeout=TIMEOUT) as response:  # noqa: S310
            position = position if response.status == 206 else 0
            # An error page, or that of a captive portal, must not be taken for the file.
            if (offered := position + int(response.headers["Content-Length"] or 0)) != size:
                raise _MirrorError(f"offers {offered} bytes, not {size}")
            while piece := response.read(PIECE):
                yield position, piece
                position += len(piece)
    except HTTPError as error:
        error.close()  # it is also a response, with an open connection
        raise _MirrorError(error) from error
    except (OSError, HTTPException, ValueError) as error:
        raise _MirrorError(error) from error
