"""Blocks as one page of HTML that needs nothing else: no network, no script, no other file."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template

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

INK = "#262626"  # of axes and text in the style of figures
MARKED = ' class="marked"'
SIGNS = {"PASS": "✓", "FAIL": "✗", "INCONCLUSIVE": "?"}


def page(blocks: Sequence[Block], drawings: Mapping[str, str]) -> str:
    """The page.

    Args:
        blocks: its content; the first is the title.
        drawings: the figures that it names, as SVG.
    """
    titles = [block.text for block in blocks if isinstance(block, Title)]
    written = "\n".join(_written(block, drawings) for block in blocks)
    return document(titles[0], f"<main>\n{written}\n</main>")


def document(title: str, body: str, *, style: str = "", policy: str = "") -> str:
    """A page that may load nothing, in the style of all pages.

    Args:
        title: its title, as text.
        body: HTML.
        style: CSS of its own.
        policy: what else its content may do, as further directives after a semicolon.
    """
    return Template(_data("page.html")).substitute(
        title=escape(title), style=_data("page.css") + style, body=body, policy=policy
    )


def _data(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _written(block: Block, drawings: Mapping[str, str]) -> str:
    match block:
        case Title(text):
            return f"<h1>{_text(text)}</h1>"
        case Verdict(word, sentence):
            return _verdict(word, sentence)
        case Heading(text):
            return f"<h2>{_text(text)}</h2>"
        case Paragraph(text):
            return f"<p>{_text(text)}</p>"
        case Points(items):
            return f"<ul>{''.join(f'<li>{_text(item)}</li>' for item in items)}</ul>"
        case Code(text):
            return f'<pre tabindex="0"><code>{escape(text)}</code></pre>'
        case Picture(name, caption):
            drawing = _inline(drawings[name], name, caption)
            return f"<figure>{drawing}<figcaption>{_text(caption)}</figcaption></figure>"
        case Table():
            return _table(block)


def _verdict(word: str, sentence: str) -> str:
    sign = f'<span aria-hidden="true">{SIGNS[word]}</span> '
    return (
        f'<div class="verdict {word.lower()}"><p class="word">{sign}{word}</p>'
        f"<p>{_text(sentence)}</p></div>"
    )


def _table(table: Table) -> str:
    kinds = [' class="number"' if i in table.numbers else "" for i in range(len(table.columns))]
    head = "".join(
        f'<th scope="col"{kind}>{_text(name)}</th>'
        for kind, name in zip(kinds, table.columns, strict=True)
    )
    rows = "\n".join(
        f"<tr{MARKED if i in table.marked else ''}>{_cells(row, kinds)}</tr>"
        for i, row in enumerate(table.rows)
    )
    label = escape(table.label)
    return (
        f'<div class="scroll" role="region" aria-label="{label}" tabindex="0"><table>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>"
    )


def _cells(row: Sequence[str], kinds: Sequence[str]) -> str:
    first, *others = row
    cells = [f"<td{kind}>{_text(c)}</td>" for c, kind in zip(others, kinds[1:], strict=True)]
    return f'<th scope="row">{_text(first)}</th>{"".join(cells)}'


def _inline(svg: str, name: str, caption: str) -> str:
    """A drawing as a part of the page: its ink that of text, its ids apart from other drawings'."""
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(caption)}" ', 1)


def _text(text: str) -> str:
    """Text from anywhere, in which a number and its sign of percent stay on one line."""
    return escape(text).replace(" %", "&nbsp;%")
