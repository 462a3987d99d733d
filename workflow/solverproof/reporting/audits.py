"""From the audits of single cells to the tables of the study."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from solverproof.evaluation.audit_rows import VERDICTS, Audit
from solverproof.evaluation.criteria import criteria, with_drops
from solverproof.evaluation.rows import Run
from solverproof.evaluation.validity import Drop
from solverproof.files import columns
from solverproof.ode.solvers import by_name
from solverproof.reporting.in_words import bracket_text, critical_text, runs_text
from solverproof.reporting.readable import write_readable
from solverproof.reporting.reading import read_rows
from solverproof.reporting.specifications import TablesSpec
from solverproof.reporting.tables import concatenated, write_csv

CRITERIA = {
    "accuracy": "drop under finer solvers (the paper's)",
    "disagreement": "predictions unlike the flow's",
    "control_ratio": "control ratio of 1 or more",
    "crossing": "steps at which trajectories cross / N",
}


def gather(spec: TablesSpec, audits: Sequence[Path], drops: Path, out: Path) -> None:
    """Write `audits.csv` and `criteria.csv`, `.md` and `.html` into a folder.

    Args:
        spec: the threshold of validity, and the solvers that the configuration defines.
        audits: the CSV files of all cells.
        drops: the study's `drops.csv`.
        out: folder of the tables.
    """
    order = [name for name in columns(Run) if name != "adapted"]
    table = with_drops(concatenated(audits, Audit, order), read_rows(drops, Drop))
    solvers = by_name(spec.own_solvers)
    found = criteria(table, spec.threshold, spec.error_threshold, solvers)
    # Text, because beside empty cells they are no column of booleans.
    folds = table["folds"].map({True: "true", False: "false"})
    write_csv(table.assign(folds=folds), out / "audits.csv")
    write_csv(found, out / "criteria.csv")
    write_readable(criteria_readable(found), out, "criteria")


def criteria_readable(found: pd.DataFrame) -> pd.DataFrame:
    """Critical settings and verdicts by every criterion, as a table for readers."""
    rows, verdicts = [row for _, row in found.iterrows()], " / ".join(VERDICTS)
    return pd.DataFrame(
        {
            "task": found["task"],
            "training solver": found["train_solver"],
            "settings": found["controller"].fillna("grid"),
            "criterion": found["criterion"].map(CRITERIA),
            "at most": [f"{row['threshold']:g}" for row in rows],
            "critical bracket": [_of_grid(row, bracket_text) for row in rows],
            "critical setting (95 %)": [_of_grid(row, critical_text) for row in rows],
            f"models that meet it: {verdicts}": [_by_verdict(row, "met") for row in rows],
            f"models that do not: {verdicts}": [_by_verdict(row, "unmet") for row in rows],
            "runs failed / untrained / unresolved": [runs_text(row) for row in rows],
        }
    )


def _of_grid(row: pd.Series, text: Callable[[pd.Series], str]) -> str:
    """What is told of a critical setting, which a controller does not have."""
    return text(row) if pd.isna(row["controller"]) else "–"


def _by_verdict(row: pd.Series, side: str) -> str:
    return " / ".join(str(row[f"{side}_{verdict.lower()}"]) for verdict in VERDICTS)
