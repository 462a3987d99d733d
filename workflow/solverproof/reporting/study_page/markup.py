"""HTML from text that may be anything: a name, a reason, what an exception said."""

import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

VOID = {"img", "source"}  # elements without an end


def text(words: Any) -> str:
    """Text as HTML, in which a number and its sign of percent stay on one line."""
    return escape(str(words)).replace(" %", "&nbsp;%")


def tag(name: str, *children: str, **attributes: Any) -> str:
    """An element.

    Args:
        name: of the element.
        children: HTML.
        attributes: a trailing underscore is left out, others are hyphens; None: no attribute.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    end = "" if name in VOID else f"</{name}>"
    return f"<{name}{given}>{''.join(children)}{end}"


def section(identifier: str, heading: str, *content: str) -> str:
    """A section that can be linked to."""
    own = f"{identifier}-heading"
    title = tag("h2", link(f"#{identifier}", heading), id=own)
    return tag("section", title, *content, id=identifier, aria_labelledby=own)


def link(target: str, words: str) -> str:
    """A link."""
    return tag("a", text(words), href=target)


def points(sentences: Iterable[str]) -> str:
    """A list of sentences, given as HTML."""
    return tag("ul", *(tag("li", sentence) for sentence in sentences))


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and what they stand for, the latter given as HTML."""
    found = (tag("dt", text(name)) + tag("dd", value) for name, value in pairs)
    return tag("dl", *found)


def table(label: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table.

    Args:
        label: what it shows.
        columns: headings.
        rows: cells, as HTML.
    """
    head = tag("tr", *(tag("th", text(name), scope="col") for name in columns))
    body = (tag("tr", *_cells(row)) + "\n" for row in rows)
    inner = tag("table", tag("caption", text(label)), tag("thead", head), tag("tbody", *body))
    return tag("div", inner, class_="scroll", role="region", aria_label=label, tabindex=0)


def _cells(row: Sequence[str]) -> Iterable[str]:
    first, *others = row
    yield tag("th", first, scope="row")
    yield from (tag("td", other) for other in others)


def data(identifier: str, content: Any) -> str:
    """Data for a script. Nothing in it can end the element or begin a comment."""
    written = json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    safe = written.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return f'<script type="application/json" id="{escape(identifier)}">{safe}</script>'
