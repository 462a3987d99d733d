"""What a study has made, read from its files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from solverproof.files import read_json
from solverproof.reporting.reading import OF_WAY, read_csv

MOST_CELLS = 500  # that the page shows one by one


@dataclass(frozen=True)
class Cell:
    """A trained cell.

    Attributes:
        path: below `models/`, such as `sphere2/euler/steps-64/seeds-0-4`.
        run: what training wrote of itself.
        history: of its training.
        seconds: what its jobs took, by rule, where that was recorded.
    """

    path: str
    run: Mapping[str, Any]
    history: pd.DataFrame
    seconds: Mapping[str, float]

    @property
    def group(self) -> str:
        """Task, training solver and setting or controller."""
        return self.path.rpartition("/")[0]

    @property
    def task(self) -> str:
        """Its task."""
        return self.path.split("/")[0]

    @property
    def seeds(self) -> Sequence[int]:
        """Its seeds."""
        return tuple(self.run["spec"]["seeds"])


@dataclass(frozen=True)
class Made:
    """What the page tells of.

    Attributes:
        tables: by name.
        readable: those for readers, as headings and rows.
        cells: in the study's order.
    """

    tables: Mapping[str, pd.DataFrame]
    readable: Mapping[str, tuple[list[str], list[list[str]]]]
    cells: Sequence[Cell]

    @property
    def shown(self) -> Sequence[Cell]:
        """The cells that the page shows one by one: of a large study, the first ones."""
        return self.cells[:MOST_CELLS]

    def of_cell(self, table: str, cell: Cell) -> pd.DataFrame:
        """The rows of a table that are of one cell."""
        rows = self._by_group[table].get(cell.group, self.tables[table].head(0))
        return rows[rows["seed"].isin(cell.seeds)]

    @cached_property
    def _by_group(self) -> Mapping[str, Mapping[str, pd.DataFrame]]:
        # Once, because cells may be thousands, and rows a million.
        return {
            name: {str(group): part for group, part in rows.groupby("group")}
            for name, rows in self.tables.items()
            if "group" in rows
        }


def read(tables: Sequence[Path], runs: Sequence[Path]) -> Made:
    """Read what the page tells.

    Args:
        tables: CSV files, and Markdown files of those that have one for readers.
        runs: `run.json` of every cell, in the study's order; the history stands beside it, and what
            Snakemake recorded of the jobs in `benchmarks/`, if it did.
    """
    return Made(
        {path.stem: _grouped(read_csv(path)) for path in tables if path.suffix == ".csv"},
        {path.stem: markdown_rows(path) for path in tables if path.suffix == ".md"},
        [_cell(path) for path in runs],
    )


def _cell(run: Path) -> Cell:
    results, path = run.parents[5], "/".join(run.parts[-5:-1])
    history, content = read_csv(run.with_name("history.csv")), read_json(run)
    return Cell(path, content, history, dict(_seconds(results / "benchmarks", path)))


def _seconds(benchmarks: Path, cell: str) -> Iterator[tuple[str, float]]:
    for rule in ("train", "adapt", "evaluate", "audit", "explore"):
        file = benchmarks / rule / f"{cell}.tsv"
        if file.is_file():
            yield rule, float(pd.read_csv(file, sep="\t")["s"].iloc[0])


def _grouped(table: pd.DataFrame) -> pd.DataFrame:
    """A table of runs with the column `group`; see `Cell`."""
    if "seed" not in table or "train_steps" not in table:
        return table
    runs = table[OF_WAY].itertuples(index=False)
    return table.assign(group=[f"{task}/{solver}/{_label(*how)}" for task, solver, *how in runs])


def _label(controller: Any, steps: float, tolerance: float) -> str:
    """A setting or a controller in paths."""
    if pd.notna(controller):
        return str(controller)
    return setting_label(steps, tolerance)


def setting_label(steps: float, tolerance: float) -> str:
    """A setting in paths, as `Setting.label` has it; of an adaptive solver `steps` is NaN."""
    return f"steps-{int(steps)}" if pd.notna(steps) else f"tolerance-{float(tolerance)!r}"


def markdown_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of a file that is one Markdown table."""
    lines = path.read_text(encoding="utf-8").strip().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return rows[0], rows[2:]
