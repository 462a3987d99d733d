"""The state of a training on disk, so that one that was killed goes on where it was.

A checkpoint lies outside of what the job declares as its outputs, which Snakemake deletes before a
job runs again. It counts only for the run that wrote it, and only if it is whole.
"""

import hashlib
import io
import os
import time
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch

from solverproof.errors import InputError
from solverproof.files import write_atomically
from solverproof.training.stateful import Stateful

INTERVAL = "SOLVERPROOF_CHECKPOINT_SECONDS"  # between two checkpoints; fewer where a cluster stops jobs often
NAME = "training"


class Checkpoint:
    """The checkpoint of one run.

    Args:
        folder: where it is kept; nothing else is.
        key: what identifies the run.
        also: what is saved and taken up besides the training itself, by name.

    Raises:
        InputError: if the environment asks for an interval that is none.
    """

    def __init__(self, folder: Path, key: str, also: Mapping[str, Stateful]) -> None:
        self.path, self.key, self.also = folder / NAME, key, also
        self.interval, self.saved = _interval(), time.monotonic()

    @property
    def due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self.saved >= self.interval

    def save(self, parts: Mapping[str, Stateful]) -> None:
        """Save the state of parts, atomically, under a header of the run's key and a checksum."""
        content = io.BytesIO()
        torch.save({name: part.state_dict() for name, part in {**parts, **self.also}.items()}, content)
        payload = content.getvalue()
        header = f"{self.key} {hashlib.sha256(payload).hexdigest()}\n".encode()
        write_atomically(self.path, header + payload)
        self.saved = time.monotonic()

    def load(self, parts: Mapping[str, Stateful]) -> None:
        """Let parts take up what was saved, if anything; what cannot be used is ignored with a warning."""
        if payload := self._payload():
            state = torch.load(io.BytesIO(payload), weights_only=True)
            for name, part in {**parts, **self.also}.items():
                part.load_state_dict(state[name])
            print(f"going on from {self.path}", flush=True)

    def _payload(self) -> bytes | None:
        if not self.path.exists():
            return None
        header, _, payload = self.path.read_bytes().partition(b"\n")
        key, _, checksum = header.decode(errors="replace").partition(" ")
        if checksum != hashlib.sha256(payload).hexdigest():
            warnings.warn(f"{self.path} is corrupted: ignored, training starts from its beginning", stacklevel=3)
        elif key != self.key:
            warnings.warn(f"{self.path} is of another run: ignored, training starts from its beginning", stacklevel=3)
        else:
            return payload
        return None

    def remove(self) -> None:
        """Remove it, once the results are written, with what processes that were killed in writing left."""
        for file in self.path.parent.glob(f"*{NAME}*"):
            file.unlink(missing_ok=True)


def _interval() -> float:
    given = os.environ.get(INTERVAL) or "120"
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1
    if not seconds >= 0:
        raise InputError(f"{INTERVAL}: '{given}' is no number of seconds; write 0 or more, or unset it")
    return seconds
