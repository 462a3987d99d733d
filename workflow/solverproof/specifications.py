"""What defines the result of a job: frozen dataclasses that are passed to it as JSON."""

import json
from collections.abc import Mapping
from dataclasses import fields
from types import UnionType
from typing import Any, Self, get_args, get_origin, get_type_hints

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
        except (AttributeError, LookupError, TypeError, ValueError) as error:
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
    """A value read from JSON, converted to the type of its field."""
    if isinstance(hint, type) and issubclass(hint, Specification):
        return hint.from_json(value)
    if isinstance(hint, UnionType):  # an optional field; None is its default, so not in the JSON
        return _typed(next(arg for arg in get_args(hint) if arg is not type(None)), value)
    if hint is float and isinstance(value, int):
        return float(value)  # 2 and 2.0 are the same setting and must be the same text
    if get_origin(hint) is tuple:
        return tuple(_typed(get_args(hint)[0], item) for item in value)
    return value
