"""Tables for readers."""

from pathlib import Path

import pandas as pd

from solverproof.files import write_text
from solverproof.reporting.study_page.markup import table, tag, text
from solverproof.reporting.titles import TABLES

STYLE = """
body { font: 14px system-ui, sans-serif }
caption { font-weight: bold; padding: 0.5em; text-align: left }
td, th { border-bottom: 1px solid #ccc; font-weight: normal; padding: 0.3em 0.6em;
  text-align: left; vertical-align: top }
thead th { font-weight: bold }
"""


def write_readable(rows: pd.DataFrame, folder: Path, name: str) -> None:
    """Write a table as Markdown, and as a page of its own, which Snakemake's report can show.

    Args:
        rows: cells as text.
        folder: of the tables.
        name: of the files, a key of `TABLES`.
    """
    markdown = rows.to_markdown(index=False, disable_numparse=True)
    write_text(folder / f"{name}.md", f"{markdown}\n")
    title = TABLES[name]
    shown = table(
        title, [*rows], ([text(cell) for cell in row] for row in rows.itertuples(index=False))
    )
    head = f'<meta charset="utf-8">{tag("title", text(title))}{tag("style", STYLE)}'
    write_text(folder / f"{name}.html", f'<!doctype html>\n<html lang="en">{head}{shown}</html>\n')
