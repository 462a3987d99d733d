"""Where the figures and tables of a study are, and its most important numbers."""

import csv
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from solverproof.reporting.in_words import bracket, bracket_text, score_with_interval, setting_text

HEADINGS = ("task", "trained with", "critical bracket", "accuracy as an ODE (%, 95 %)", "at")
Row = Mapping[str, str]


def headlines(results: Path, made: Iterable[Path]) -> list[str]:
    """Lines about what is there after a run.

    Args:
        results: the folder of results.
        made: the files that the run was to make, those that were up to date included.
    """
    made, page = list(made), results / "report.html"
    folders = Counter(path.parent for path in made if path.suffix in {".csv", ".pdf"})
    found = {kind: folders[results / kind] for kind in ("figures", "tables")}
    lines = [f"{count} {kind} in {results / kind}" for kind, count in found.items() if count]
    lines += [f"all of it on one page: {page}"] if page in made else []
    if found["tables"]:
        tables = results / "tables"
        lines += ["", *_aligned([HEADINGS, *sorted([*_of_grid(tables), *_of_controllers(tables)])])]
    return lines


def _of_grid(tables: Path) -> Iterator[tuple[str, ...]]:
    """A row per task and training solver: the critical bracket, and the score at its end."""
    for row in _read(tables / "critical_steps.csv"):
        if row["measure"] == "drop":
            bracket, end = _bracket(row)
            yield row["task"], row["train_solver"], bracket, _score(row), end


def _of_controllers(tables: Path) -> Iterator[tuple[str, ...]]:
    """A row per task, training solver and controller, and the score after training."""
    for row in _read(tables / "comparison.csv"):
        if row["nfe_training"] and not row["train_tolerance"]:  # neither of a grid
            trained_with = f"{row['train_solver']}, {row['method']}"
            place = f"{float(row['nfe_training']):.1f} evaluations"
            yield row["task"], trained_with, "", _score(row), place


def _read(table: Path) -> list[Row]:
    if not table.exists():  # that of controllers, in a study without any
        return []
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _bracket(row: Row) -> tuple[str, str]:
    """The critical bracket, and its valid end."""
    ends = {
        f"{side}_{measure}": float(row[f"{side}_{measure}"] or "nan")
        for side in ("invalid", "valid")
        for measure in ("steps", "tolerance")
    }
    measure, _, valid = bracket(ends)
    return bracket_text(ends), "–" if math.isnan(valid) else setting_text(**{measure: valid})


def _score(row: Row) -> str:
    """`96.7 (94.7 to 98.6)`, or `error 0.12 (0.10 to 0.14)`; one seed has no interval."""
    names = (n for n in row if n.startswith(("accuracy_reference_", "error_reference_")))
    return score_with_interval({n: float(row[n] or "nan") for n in names}, "_reference")


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(text.ljust(n) for text, n in zip(row, widths, strict=True)).rstrip()
