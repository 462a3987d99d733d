"""What a report is made of. A page and a Markdown file are two ways to write the same blocks."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Title:
    """The first line."""

    text: str


@dataclass(frozen=True)
class Verdict:
    """The verdict, as a word and as a sentence."""

    word: str
    sentence: str


@dataclass(frozen=True)
class Heading:
    """The heading of a section."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """Plain text."""

    text: str


@dataclass(frozen=True)
class Points:
    """A list of sentences."""

    items: Sequence[str]


@dataclass(frozen=True)
class Code:
    """Lines of Python."""

    text: str


@dataclass(frozen=True)
class Picture:
    """A figure that is drawn elsewhere, by its name."""

    name: str
    caption: str


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        label: what it shows, for who cannot see it.
        columns: headings.
        rows: cells.
        numbers: which columns hold numbers.
        marked: which rows stand out.
    """

    label: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int] = frozenset()
    marked: frozenset[int] = frozenset()


Block = Title | Verdict | Heading | Paragraph | Points | Code | Picture | Table
