"""Reading a configuration file strictly: what YAML would take for something else is refused."""

import math
from collections import Counter
from collections.abc import Callable, Hashable
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

import yaml

from solverproof.errors import InputError, shown
from solverproof.paths import regular

LONGEST_FILE = 200_000  # bytes
DEEPEST = 40  # levels of keys and lists
MOST_VALUES = 100_000  # of a whole file, with what aliases repeat
LONGEST_LIST = 1000  # entries, which are compared with each other
LARGEST = 2**63
SMALLEST = 1e-300  # of numbers other than zero; smaller ones lose digits


class _RefusedError(Exception):
    """A line of a file that says what is wrong and what to write instead."""

    def __init__(self, node: yaml.Node, message: str) -> None:
        super().__init__(f"line {node.start_mark.line + 1}: {message}")


def read_yaml(file: Path) -> dict[str, Any]:
    """The keys and values of a YAML file: texts, numbers, booleans, null, lists and mappings.

    Raises:
        InputError: if the file is missing or is not YAML with keys at its top; if a key is given
            twice or is no text, a value is of another kind or a number out of range, or levels and
            repetitions are too many.
    """
    try:
        if regular(file).stat().st_size > LONGEST_FILE:
            raise InputError(f"{file}: more than {LONGEST_FILE} bytes; shorten it")
        content = yaml.load(file.read_text(encoding="utf-8"), _Loader)  # noqa: S506 (a safe one)
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}; write the path of a YAML file") from error
    except (UnicodeDecodeError, yaml.reader.ReaderError) as error:
        raise InputError(f"{file}: not text in UTF-8 ({error.reason}); save it as such") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise InputError(f"{file}: line {line} is not YAML ({error.problem}); fix it") from error
    except ValueError as error:  # a character by a number that none has
        raise InputError(f"{file}: not YAML ({error}); fix it") from error
    except _RefusedError as error:
        raise InputError(f"{file}: {error}") from error
    if not isinstance(content, dict):
        raise InputError(
            f"{file}: there are no keys at its top; write for example select: {{seeds: [0-4]}}"
        )
    return content


class _Loader(yaml.SafeLoader):
    """Builds plain values; each refusal names its line."""

    depth = 0

    def get_single_node(self) -> yaml.Node | None:
        """The document, with a bound on what it grows to where aliases repeat parts of it."""
        node: yaml.Node | None = super().get_single_node()
        if node and _values(node, {}) > MOST_VALUES:
            raise _RefusedError(node, f"the file has more than {MOST_VALUES} values; shorten it")
        return node

    def compose_node(self, parent: Any, index: Any) -> yaml.Node | None:
        """One node, with a bound on how deep it lies."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise _RefusedError(parent, f"more than {DEEPEST} levels; write fewer")
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def compose_sequence_node(self, anchor: Any) -> yaml.SequenceNode:
        """A list, with a bound on its length."""
        node: yaml.SequenceNode = super().compose_sequence_node(anchor)
        if len(node.value) > LONGEST_LIST:
            raise _RefusedError(node, f"a list of more than {LONGEST_LIST} entries; shorten it")
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        """A mapping with texts as keys, each given once."""
        given = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for key in given:
            if key.tag != "tag:yaml.org,2002:str":
                raise _RefusedError(key, f"the key {shown(key.value)} is no text; put it in quotes")
        for name, count in Counter(key.value for key in given).items():
            if count > 1:
                again = [key for key in given if key.value == name][1]
                raise _RefusedError(again, f"the key {shown(name)} is given twice; remove one")
        made: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return made

    def whole(self, node: Any) -> int:
        """A whole number; YAML takes 1:30 for 90."""
        if ":" in node.value:
            raise _RefusedError(node, f"{node.value} is a time to YAML; write a range as 1-4")
        # Of thousands of digits, Python refuses to read it.
        value = LARGEST if len(node.value) > 100 else int(self.construct_yaml_int(node))
        if abs(value) >= LARGEST:
            raise _RefusedError(node, f"{shown(node.value)} is too large; write less than 2^63")
        return value

    def number(self, node: Any) -> float:
        """A decimal number."""
        if ":" in node.value:
            raise _RefusedError(node, f"{node.value} is a time to YAML; write a decimal number")
        value = float(self.construct_yaml_float(node))
        if 0 < abs(value) < SMALLEST:
            raise _RefusedError(node, f"{node.value} is too small; write 0, or at least {SMALLEST}")
        return value

    def date(self, node: Any) -> NoReturn:
        """A date, which no key takes."""
        raise _RefusedError(node, f"{node.value} is a date to YAML; put it in quotes")

    def other(self, node: Any) -> NoReturn:
        """A value with a tag of its own."""
        tag = node.tag.removeprefix("tag:yaml.org,2002:")
        raise _RefusedError(node, f"values of the kind {shown(tag)} are not used; write it without")


def _tagged(build: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Builds a value; what a tag says to be of another kind than it is, is refused."""

    def built(loader: Any, node: Any) -> Any:
        try:
            return build(loader, node)
        except (ValueError, LookupError) as error:
            kind = node.tag.rpartition(":")[2]
            wrong = f"{shown(node.value)} is no {kind}; write it without the tag"
            raise _RefusedError(node, wrong) from error

    return built


for _name, _build in {
    "bool": _Loader.construct_yaml_bool,
    "int": _Loader.whole,
    "float": _Loader.number,
}.items():
    _Loader.add_constructor(f"tag:yaml.org,2002:{_name}", _tagged(_build))
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.date)
for _name in ("binary", "omap", "pairs", "set"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_name}", _Loader.other)
_Loader.add_constructor(None, _Loader.other)


def _values(node: yaml.Node, known: dict[int, float]) -> float:
    """Number of values below a node, repeated ones counted each time."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in known:
        known[id(node)] = math.inf  # until it is known: what holds itself has no end
        parts = (
            node.value if isinstance(node, yaml.SequenceNode) else chain.from_iterable(node.value)
        )
        known[id(node)] = 1 + sum(_values(part, known) for part in parts)
    return known[id(node)]
