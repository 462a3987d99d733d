"""What defines the result of a job: frozen dataclasses that are passed to it as JSON."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields
from types import UnionType
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

from solverproof.errors import InputError, shown


class Specification:
    """A frozen dataclass that is written as JSON and read back equal.

    A field that has its default value is left out of the JSON. The default is a neutral value, with
    which everything is as it was before the field existed. So a field that is added later does not
    change the identity of jobs that do not use it, and re-runs nothing.
    """

    def to_json(self) -> Any:
        """The fields that differ from their defaults, as JSON."""
        values = ((f.name, getattr(self, f.name), f.default) for f in fields(self))  # type: ignore[arg-type]
        return {name: _plain(value) for name, value, default in values if value != default}

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """The specification that `to_json` wrote."""
        hints = get_type_hints(cls)
        return cls(**{name: _typed(hints[name], value) for name, value in content.items()})

    @classmethod
    def given(cls, content: Any) -> Self:
        """The specification that the command line gives.

        Raises:
            InputError: if it is of another kind.
        """
        try:
            return cls.from_json(content)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise InputError(
                f"--spec: {shown(content)} defines no {cls.__name__}; "
                "take what snakemake --printshellcmds shows"
            ) from error


def canonical(specification: Specification) -> str:
    """JSON that is the same text for the same content: sorted keys, no spaces."""
    return json.dumps(specification.to_json(), sort_keys=True, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, Specification):
        return value.to_json()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _typed(hint: Any, value: Any) -> Any:
    """A value read from JSON, converted to the type of its field.

    Raises:
        TypeError: if it is of another type.
    """
    if isinstance(hint, type) and issubclass(hint, Specification):
        return hint.from_json(value)
    kind, inner = get_origin(hint) or hint, get_args(hint)
    if kind is UnionType:  # an optional field
        return None if value is None else _typed(inner[0], value)
    if kind is float and type(value) is int:
        return float(value)  # 2 and 2.0 are the same setting and must be the same text
    if not _fits(kind, inner, value):
        raise TypeError(f"{shown(value)} is of another type")
    if kind is tuple:
        return tuple(_typed(inner[0], item) for item in value)
    if kind is Mapping:
        return {key: _typed(inner[1], item) for key, item in value.items()}
    return value


def _fits(kind: Any, inner: tuple[Any, ...], value: Any) -> bool:
    if kind is Literal:
        return value in inner
    if isinstance(value, bool):  # which Python takes for a whole number
        return kind in (bool, Any)
    if kind is float:
        return isinstance(value, float) and math.isfinite(value)
    return kind is Any or isinstance(value, (list, tuple) if kind is tuple else kind)
