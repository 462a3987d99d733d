"""Blocks as Markdown."""

import re
from collections.abc import Sequence

from solverproof.reporting.html.blocks import (
    Block,
    Code,
    Heading,
    Paragraph,
    Picture,
    Points,
    Table,
    Title,
    Verdict,
)


def markdown(blocks: Sequence[Block]) -> str:
    """The text of a Markdown file; its figures are files beside it."""
    return "\n\n".join(map(_written, blocks)) + "\n"


def _written(block: Block) -> str:
    match block:
        case Title(text):
            return f"# {_plain(text)}"
        case Verdict(word, sentence):
            return f"**{word}**: {_plain(sentence)}"
        case Heading(text):
            return f"## {_plain(text)}"
        case Paragraph(text):
            return _plain(text)
        case Points(items):
            return "\n".join(f"- {_plain(item)}" for item in items)
        case Code(text):
            return _code(text)
        case Picture(name, caption):
            return f"![{_plain(caption)}]({name}.png)"
        case Table():
            return _table(block)


def _plain(text: str) -> str:
    """Text on one line that means itself: no markup, no HTML, no picture to be loaded."""
    return re.sub(r"[\\`*\[\]|<]", r"\\\g<0>", " ".join(text.split()))


def _code(text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}python\n{text}\n{fence}"


def _table(table: Table) -> str:
    rules = ["---:" if i in table.numbers else "---" for i in range(len(table.columns))]
    cells = [[_plain(cell) for cell in row] for row in (table.columns, *table.rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (cells[0], rules, *cells[1:]))
