"""The state of a training on disk, so that a killed one can be resumed.

A checkpoint is not among the job's declared outputs, which Snakemake deletes before a job runs
again. It is used only by the run that wrote it, and only if it is intact.
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

# Environment variable: seconds between two checkpoints; to be lowered where jobs are often stopped.
INTERVAL = "SOLVERPROOF_CHECKPOINT_SECONDS"
NAME = "training"


class Checkpoint:
    """The checkpoint of one run.

    Args:
        folder: its folder, which holds nothing else.
        key: what identifies the run.
        also: what is saved and restored besides the training itself, by name.

    Raises:
        InputError: if the interval in the environment is not a number of seconds.
    """

    def __init__(self, folder: Path, key: str, also: Mapping[str, Stateful]) -> None:
        self.path, self.key, self.also = folder / NAME, key, also
        # A monotonic clock: adjustments of the system's time must not delay a checkpoint.
        self.interval, self.saved = _interval(), time.monotonic()

    @property
    def due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self.saved >= self.interval

    def save(self, parts: Mapping[str, Stateful]) -> None:
        """Save the state of parts atomically, after a header with the run's key and a checksum."""
        # In memory first, because the header needs the checksum of the whole payload.
        content = io.BytesIO()
        torch.save(
            {name: part.state_dict() for name, part in {**parts, **self.also}.items()}, content
        )
        payload = content.getvalue()
        header = f"{self.key} {hashlib.sha256(payload).hexdigest()}\n".encode()
        write_atomically(self.path, header + payload)
        self.saved = time.monotonic()

    def load(self, parts: Mapping[str, Stateful]) -> None:
        """Restore parts from what was saved, if anything; warn if it cannot be used."""
        if payload := self._payload():
            # Tensors and plain values only, so that loading a file never runs code.
            state = torch.load(io.BytesIO(payload), weights_only=True)
            for name, part in {**parts, **self.also}.items():
                part.load_state_dict(state[name])
            print(f"resuming from {self.path}", flush=True)

    def _payload(self) -> bytes | None:
        if not self.path.exists():
            return None
        header, _, payload = self.path.read_bytes().partition(b"\n")
        key, _, checksum = header.decode(errors="replace").partition(" ")
        # Neither case is an error: starting from the beginning gives the same result, only later.
        if checksum != hashlib.sha256(payload).hexdigest():
            warnings.warn(
                f"{self.path} is corrupted: ignored, training starts from its beginning",
                stacklevel=3,
            )
        elif key != self.key:
            warnings.warn(
                f"{self.path} is of another run: ignored, training starts from its beginning",
                stacklevel=3,
            )
        else:
            return payload
        return None

    def remove(self) -> None:
        """Remove it, once the results are written."""
        # The pattern includes temporary files of processes that were killed while writing.
        for file in self.path.parent.glob(f"*{NAME}*"):
            file.unlink(missing_ok=True)


def _interval() -> float:
    given = os.environ.get(INTERVAL) or "120"
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1
    # Negated, so that NaN is rejected as well.
    if not seconds >= 0:
        raise InputError(
            f"{INTERVAL}: '{given}' is no number of seconds; write 0 or more, or unset it"
        )
    return seconds
