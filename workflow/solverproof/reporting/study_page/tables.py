"""The tables of a study, as parts of its page, and which of its runs failed."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from solverproof.auditing.reasons import MISSING
from solverproof.evaluation.rows import REFERENCE
from solverproof.evaluation.validity import has_trained
from solverproof.reporting.html.wording import number
from solverproof.reporting.study_page.cells import first_of, sentences, setting_of
from solverproof.reporting.study_page.made import Made
from solverproof.reporting.study_page.markup import link, points, table, tag, text
from solverproof.reporting.titles import TABLES

LONGEST = "evaluations"  # its rows are data, of which the script shows some at a time
DIGITS = 5
MOST_ROWS = 2000  # of a table of the page
MOST_DATA = 50_000  # rows of the longest table


def tables(made: Made, captions: Mapping[str, str]) -> str:
    """All tables: those for readers where there are such, all columns that hold anything else."""
    return "".join(_titled(made, name, captions) for name in _names(made))


def _names(made: Made) -> list[str]:
    """Those that are known first, in the order of the titles."""
    return [n for n in TABLES if n in made.tables] + [n for n in made.tables if n not in TABLES]


def _titled(made: Made, name: str, captions: Mapping[str, str]) -> str:
    title = TABLES.get(name, name.replace("_", " "))
    most = MOST_DATA if name == LONGEST else MOST_ROWS
    part = first_of(made.tables[name], most, "rows")
    told = sentences(captions.get(name, ""), part, f"In full precision: tables/{name}.csv.")
    head = tag("h3", text(title), id=f"table-{name}") + tag("p", text(told))
    if name in made.readable:
        columns, rows = made.readable[name]
        return head + table(title, columns, ([text(cell) for cell in row] for row in rows[:most]))
    shown = _shown(made.tables[name])
    source = f"{name}-data" if name == LONGEST else None
    inner = table(title, [*map(str, shown)], [] if source else _rows(shown.head(most)))
    return head + tag("div", inner, class_="wide", data_source=source)


def _shown(rows: pd.DataFrame) -> pd.DataFrame:
    """The columns that hold anything, under headings."""
    kept = rows.drop(columns="group", errors="ignore").dropna(axis="columns", how="all")
    return kept.rename(columns=lambda name: name.replace("_", " "))


def _rows(rows: pd.DataFrame) -> Iterator[list[str]]:
    for row in rows.itertuples(index=False):
        yield [text(_cell(value)) for value in row]


def _cell(value: Any) -> str:
    if pd.isna(value):
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)


def longest(made: Made) -> dict[str, Any]:
    """The rows of the longest table, column by column; text as numbers of its levels."""
    shown = _shown(made.tables[LONGEST]).head(MOST_DATA)
    return {"length": len(shown), "columns": [_column(shown[name]) for name in shown]}


def _column(values: pd.Series) -> dict[str, Any]:
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return {"values": [None if pd.isna(v) else _json_number(v) for v in values]}
    codes, levels = pd.factorize(values.map(_cell))
    return {"levels": levels.tolist(), "values": codes.tolist()}


def _json_number(value: float) -> float | str:
    short = float(f"{value:.{DIGITS}g}")
    if short in (float("inf"), float("-inf")):
        return number(value)
    return int(short) if short == int(short) else short


def failed(made: Made) -> str:
    """Runs that failed or did not train, and flows that are not resolved, with their reasons."""
    drops = made.tables["drops"]
    bad = drops[
        (drops["status"] != "ok") | (drops["reference"].notna() & (drops["reference"] != "ok"))
    ]
    gave_up = made.tables["evaluations"]
    gave_up = gave_up[(gave_up["status"] != "ok") & (gave_up["test_solver"] != REFERENCE)]
    counts = [
        f"{int((~has_trained(drops)).sum())} of {len(drops)} runs failed or did not train.",
        f"{int((drops['reference'] != 'ok').sum())} runs have no resolved flow.",
        f"{len(gave_up)} of {len(made.tables['evaluations'])} evaluations have another status than "
        "ok; their table has the reasons.",
        first_of(bad, MOST_ROWS, "runs with a status"),
    ]
    told = points(map(text, filter(None, counts)))
    if bad.empty:
        return told
    paths = {(cell.group, seed): cell.path for cell in made.cells for seed in cell.seeds}
    shown = {cell.path for cell in made.shown}
    where = {run: link(f"#{p}", p) if p in shown else text(p) for run, p in paths.items()}
    columns = ["run", "setting", "seed", "status", "reason", "its flow"]
    return told + table("Runs with a status", columns, _bad(bad.head(MOST_ROWS), where))


def _bad(rows: pd.DataFrame, where: Mapping[tuple[str, int], str]) -> Iterator[list[str]]:
    for _, row in rows.iterrows():
        cells = [row["seed"], row["status"], row["reason"], row["reference"]]
        path = where[row["group"], row["seed"]]
        yield [path, text(setting_of(row)), *(text(_cell(c)) for c in cells)]
