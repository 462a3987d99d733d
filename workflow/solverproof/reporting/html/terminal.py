"""An audit on one screen of a terminal."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from solverproof.auditing.result import AuditResult
from solverproof.reporting.html.wording import (
    advised_call,
    bidding,
    finding,
    kind_sentence,
    verdict_sentence,
)

WIDTH, REASONS = 80, 3
FIRM = "\N{NO-BREAK SPACE}"


def text(result: AuditResult, folder: Path | None = None) -> str:
    """The verdict, the kind, why, and what to do, in at most 24 lines of 80 characters.

    Args:
        result: of the audit.
        folder: where its report was saved; None if it was not.
    """
    lines = [
        *_wrapped(f"{result.verdict}  {verdict_sentence(result)}", 2),
        *_wrapped(kind_sentence(result), 2),
        "",
        *_wrapped(finding(result), 2),
        *(line for reason in result.reasons[:REASONS] for line in _wrapped(reason, 2, "- ")),
        "",
        *_wrapped(bidding(result), 4),
    ]
    call = advised_call(result)
    if call:
        lines += _code(call)
    if folder:
        lines += ["", *_where(folder / "report.html")]
    return "\n".join(lines)


def _wrapped(sentence: str, most: int, start: str = "") -> list[str]:
    """A sentence on so many lines at most; control characters would move the cursor."""
    printable = "".join(c if c.isprintable() else " " for c in sentence)
    return textwrap.wrap(
        printable, WIDTH, initial_indent=start, subsequent_indent=" " * len(start),
        max_lines=most, placeholder=" …",
    )  # fmt: skip


def _code(call: str, most: int = 3) -> Iterator[str]:
    """The line to paste, broken between its arguments; one too long to show is in the report."""
    lines = [
        part
        for line in call.splitlines()
        for part in textwrap.wrap(
            re.sub(r"(?<!,) ", FIRM, line), WIDTH, subsequent_indent="    ",
            break_long_words=False, break_on_hyphens=False,
        )
    ]  # fmt: skip
    if len(lines) <= most and all(len(line) <= WIDTH for line in lines):
        yield from (line.replace(FIRM, " ") for line in lines)


def _where(path: Path) -> list[str]:
    """The path in full, on a line of its own where it is long."""
    line = f"Report: {path}"
    return [line] if len(line) <= WIDTH else ["Report:", str(path)]
