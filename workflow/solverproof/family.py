"""Families of data sets, networks and controllers: what can be added without touching the rest.

A family is one file with a class, whose fields are the keys of its definition in the configuration
and whose methods are its only interface. Its block in the schema describes the keys; its line in
the registry of its folder says where the class is. A module is imported only where its family is
used: planning stays fast, and the code of one family does not identify the jobs of another.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, ClassVar, Self

from solverproof.errors import Problem
from solverproof.specifications import Specification


class Family(Specification):
    """The definition of a data set, network or controller.

    Planning instantiates families, so the methods that it calls must not import torch.

    Attributes:
        registry: `module:Class` of all families of a kind, by name.
        family: the name of this one.
    """

    registry: ClassVar[Mapping[str, str]]
    family: ClassVar[str]

    @property
    def user_code(self) -> str | None:
        """`module:name` of the user's own code that the result depends on; None without one."""
        return None

    def problems(self) -> Iterator[Problem]:
        """Errors in the definition that the schema cannot find."""
        yield from ()

    def to_json(self) -> Any:
        """The name of the family and its keys."""
        return {"family": self.family, **super().to_json()}

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """The definition, whichever family of this kind it belongs to."""
        found = cls.named(content["family"])
        keys = {key: value for key, value in content.items() if key != "family"}
        return super(Family, found).from_json(keys)

    @classmethod
    def named(cls, name: str) -> type[Self]:
        """The class of a family of this kind."""
        module, _, attribute = cls.registry[name].partition(":")
        found: type[Self] = getattr(import_module(module), attribute)
        return found
