"""Families of data sets, networks and controllers: what can be added without touching the rest.

A family is one file with a class, whose fields are the keys of its definition in the configuration
and whose methods are all that anything else knows of it. Its block in the schema describes the
keys; its line in the registry of its room says where the class is. A module is imported only where
its family is used: planning stays quick, and the code of one family is no part of what identifies
the jobs of another.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, ClassVar, Self

from solverproof.errors import Problem
from solverproof.specifications import Specification


class Family(Specification):
    """The definition of a data set, network or controller.

    Planning instantiates families, so what it uses of them must not import torch.

    Attributes:
        registry: names of families to `module:Class`, of all families of a kind.
        family: the name of this one.
    """

    registry: ClassVar[Mapping[str, str]]
    family: ClassVar[str]

    @property
    def user_code(self) -> str | None:
        """The import path of a module of the user's own that the result depends on."""
        return None

    def problems(self) -> Iterator[Problem]:
        """What is wrong with the definition beyond what the schema can tell."""
        yield from ()

    def to_json(self) -> Any:
        """The name of the family and its keys."""
        return {"family": self.family, **super().to_json()}

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """The definition, of whichever family of this kind it is."""
        found = cls.named(content["family"])
        keys = {key: value for key, value in content.items() if key != "family"}
        return super(Family, found).from_json(keys)

    @classmethod
    def named(cls, name: str) -> type[Self]:
        """The class of a family of this kind."""
        module, _, attribute = cls.registry[name].partition(":")
        found: type[Self] = getattr(import_module(module), attribute)
        return found
