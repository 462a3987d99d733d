"""What training needs to know of checkpoints, and no more: how they are stored is no part of what defines a run."""

from collections.abc import Mapping
from typing import Any, Protocol


class Stateful(Protocol):
    """What has a state that goes into a checkpoint, of tensors, numbers, text, lists and dictionaries."""

    def state_dict(self) -> dict[str, Any]:
        """The state."""

    def load_state_dict(self, state: dict[str, Any], /) -> Any:
        """Take up a state."""


class Keeper(Protocol):
    """Keeps the state of a training."""

    @property
    def due(self) -> bool:
        """Whether it is time to save."""

    def save(self, parts: Mapping[str, Stateful]) -> None:
        """Save the state of parts."""

    def load(self, parts: Mapping[str, Stateful]) -> None:
        """Let parts take up what was saved, if anything."""
