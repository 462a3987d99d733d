"""What an error against the schema means to the reader: its place, what is wrong, what to write."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from solverproof.errors import Problem, did_you_mean, shown

SELECTIONS = ("steps", "tolerances", "controlled")  # keys that select what is trained
DESELECTED = 3  # levels of theirs at which null selects nothing: all, a task, one of its solvers
_EXPECTED = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "keys with values",
    "null": "null",
}


def explain(error: Any) -> Problem:
    """The place and the message of an error that jsonschema found."""
    key, kind = tuple(error.absolute_path), error.validator
    if kind == "additionalProperties":
        known = error.schema["properties"]
        unknown = next(name for name in error.instance if name not in known)
        return (*key, unknown), f"unknown key{suggestion(unknown, known)}"
    if kind == "enum":
        value = error.instance
        unknown = f"unknown {key[-1]} {shown(value)}"
        return key, f"{unknown}{suggestion(value, error.validator_value)}"
    if kind == "names" and "propertyNames" in error.absolute_schema_path:
        key = (*key, error.instance)  # the unknown name is a key of the object
    if kind in _MESSAGES:
        message = _MESSAGES[kind](error.instance, error.validator_value, error.schema)
        nothing = kind == "type" and 0 < len(key) <= DESELECTED and key[0] in SELECTIONS
        return key, f"{message}, or null to select nothing" if nothing else message
    return key, error.message


def suggestion(name: object, known: Iterable[object]) -> str:
    """The known name that is like a wrong one, or all of them; the end of a message."""
    return did_you_mean(name, known) or f"; known are: {', '.join(map(str, known))}"


def _missing(value: Any, keys: Any, _: Any) -> str:
    return f"the key '{next(name for name in keys if name not in value)}' is missing; add it"


def _missing_beside(value: Any, needs: Mapping[str, Any], _: Any) -> str:
    key, missing = next(
        (key, name)
        for key, names in needs.items()
        for name in names
        if key in value and name not in value
    )
    return f"the key '{key}' needs the key '{missing}' beside it; add that"


def _too_few(value: Any, least: int, _: Any) -> str:
    found = f"the list has {len(value)} entries" if value else "the list is empty"
    return f"{found}; give at least {'one entry' if least == 1 else f'{least} entries'}"


def _too_many(value: Any, most: int, _: Any) -> str:
    return f"the list has {len(value)} entries; give at most {most}"


def _twice(value: Any, _: Any, __: Any) -> str:
    twice = next(item for item in value if value.count(item) > 1)
    return f"{shown(twice)} is given twice; remove one"


def _beyond(words: str) -> Callable[[Any, Any, Any], str]:
    def message(value: Any, limit: Any, _: Any) -> str:
        return f"{shown(value)} is out of range; write a value of {words} {limit}"

    return message


def _of_another_form(value: Any, _: Any, schema: Mapping[str, Any]) -> str:
    form = schema.get("form") or schema["description"]
    return f"{shown(value)} is not of the form wanted here; write {form}"


def _of_another_type(value: Any, expected: str | list[str], schema: Mapping[str, Any]) -> str:
    wanted = " or ".join(
        _EXPECTED[name] for name in ([expected] if isinstance(expected, str) else expected)
    )
    if value is None:
        return f"no value is given; write {wanted}{_example(schema)}"
    if isinstance(value, str) and _is_number(value) and "number" in expected:
        return f"{shown(value)} is text to YAML; write {_yaml_number(value)}, with a decimal point"
    return f"{shown(value)} is not {wanted}; write {wanted}{_example(schema)}"


def _example(schema: Mapping[str, Any]) -> str:
    """What a list or a mapping may look like, after their names; nothing of other types."""
    if "items" in schema:
        texts = schema["items"].get("type") == "string"
        return f", for example {'[a, b]' if texts else '[1, 2]'}"
    return f": {', '.join(schema['properties'])}" if "properties" in schema else ""


_MESSAGES: Mapping[str, Callable[[Any, Any, Any], str]] = {
    "required": _missing,
    "dependentRequired": _missing_beside,
    "type": _of_another_type,
    "minItems": _too_few,
    "maxItems": _too_many,
    "uniqueItems": _twice,
    "minimum": _beyond("at least"),
    "exclusiveMinimum": _beyond("more than"),
    "maximum": _beyond("at most"),
    "exclusiveMaximum": _beyond("less than"),
    "pattern": _of_another_form,
}


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _yaml_number(text: str) -> str:
    """A number as YAML 1.1 expects it: 1.0e-3 for 1e-3."""
    mantissa, _, exponent = text.lower().partition("e")
    decimal = mantissa if "." in mantissa else f"{mantissa}.0"
    return f"{decimal}e{int(exponent):+d}" if exponent else decimal
