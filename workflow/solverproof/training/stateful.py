"""The interface of checkpoints in training.

It is separate from how they are stored, which is no part of the code that defines a run.
"""

from collections.abc import Mapping
from typing import Any, Protocol


class Stateful(Protocol):
    """Something with a state for a checkpoint: tensors, numbers, text, lists and dictionaries."""

    def state_dict(self) -> dict[str, Any]:
        """The state."""

    def load_state_dict(self, state: dict[str, Any], /) -> Any:
        """Restore a state."""


class CheckpointStore(Protocol):
    """Keeps the state of a training."""

    @property
    def due(self) -> bool:
        """Whether it is time to save."""

    def save(self, parts: Mapping[str, Stateful]) -> None:
        """Save the state of parts."""

    def load(self, parts: Mapping[str, Stateful]) -> None:
        """Restore parts from what was saved, if anything."""
