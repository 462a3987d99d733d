"""From the evaluations of single cells to the tables of the study."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from solverproof.evaluation.critical import critical_steps
from solverproof.evaluation.rows import Evaluation
from solverproof.evaluation.validity import drops
from solverproof.files import write_text
from solverproof.ode.solvers import by_name
from solverproof.reporting.in_words import (
    bracket_text,
    critical_text,
    measured_by,
    runs_text,
    score_with_interval,
    with_interval,
)
from solverproof.reporting.readable import write_readable
from solverproof.reporting.reading import read_rows
from solverproof.reporting.settings import settings, settings_readable
from solverproof.reporting.specifications import TablesSpec

MEASURES = {
    "drop": "drop under finer solvers (the paper's)",
    "drop_reference": "drop of the flow itself",
    "disagreement": "predictions unlike the flow's",
}
WHOLE = [
    "train_steps", "test_steps", "worst_steps", "nfe", "seed", "invalid_steps", "valid_steps",
    "seeds_valid_steps_min", "seeds_valid_steps_max", "nfe_invalid", "nfe_valid", "samples",
    "tried", "advised_steps", "advised_nfe",
]  # fmt: skip
ORDER = [
    "task", "train_solver", "controller", "train_steps", "train_tolerance", "seed",
    "test_solver", "test_steps", "test_tolerance",
]  # fmt: skip


def tabulate(spec: TablesSpec, evaluations: Sequence[Path], out: Path) -> None:
    """Write the tables of evaluations, of drops, of settings and of critical steps into a folder.

    Args:
        spec: the threshold of validity, and the solvers that the configuration defines.
        evaluations: the CSV files of all cells.
        out: folder of the tables.
    """
    table = concatenated(evaluations, Evaluation, ORDER)
    solvers = by_name(spec.own_solvers)
    errors = {"error_threshold": spec.error_threshold}
    dropped = drops(table, spec.threshold, chance=spec.chance, solvers=solvers, **errors)
    critical = critical_steps(dropped, spec.threshold, solvers, **errors)
    write_csv(table, out / "evaluations.csv")
    write_csv(dropped, out / "drops.csv")
    trained = settings(dropped)
    write_csv(trained, out / "settings.csv")
    write_readable(settings_readable(trained), out, "settings")
    write_csv(critical, out / "critical_steps.csv")
    write_readable(critical_readable(critical, spec), out, "critical_steps")


def concatenated(paths: Sequence[Path], row: type, order: Sequence[str]) -> pd.DataFrame:
    """The tables of all cells as one, sorted by some of its columns."""
    # As objects, because a column that is empty in one part would otherwise get another type there.
    parts = [read_rows(path, row).astype(object) for path in paths]
    return pd.concat(parts).infer_objects().sort_values([*order], ignore_index=True)


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table atomically: floats in full precision, steps whole, `true` and `false`."""
    whole = [name for name in WHOLE if name in table]
    # Nullable types, because whole numbers beside empty cells would be written as 64.0.
    typed = table.astype(dict.fromkeys(whole, "Float64")).astype(dict.fromkeys(whole, "Int64"))
    for name in typed.select_dtypes(bool):
        typed[name] = typed[name].map({True: "true", False: "false"})
    write_text(path, typed.to_csv(index=False, lineterminator="\n"))


def critical_readable(critical: pd.DataFrame, spec: TablesSpec) -> pd.DataFrame:
    """The critical brackets as a table for readers."""
    rows = [row for _, row in critical.iterrows()]
    return pd.DataFrame(
        {
            "task": critical["task"],
            "training solver": critical["train_solver"],
            "measure": critical["measure"].map(MEASURES),
            "critical bracket": [bracket_text(row) for row in rows],
            "critical setting (95 %)": [critical_text(row) for row in rows],
            "measure at the valid end (%, 95 %)": [_at_valid(row, spec) for row in rows],
            "accuracy as an ODE there (%, 95 %)": [
                score_with_interval(row, "_reference") for row in rows
            ],
            "accuracy with its solver there (%, 95 %)": [score_with_interval(row) for row in rows],
            "brackets of single seeds": [_spread(row) for row in rows],
            "runs failed / untrained / unresolved": [runs_text(row) for row in rows],
        }
    )


def _at_valid(row: pd.Series, spec: TablesSpec) -> str:
    threshold = spec.threshold if pd.isna(row["error_mean"]) else spec.error_threshold
    unknown = pd.isna(row["measure_low"]) or row["measure_high"] > threshold
    resolved = ", not resolved" if pd.notna(row["measure_mean"]) and unknown else ""
    return with_interval(row, "measure") + resolved


def _spread(row: pd.Series) -> str:
    never, found = row["seeds_never_valid"], []
    if never < row["seeds"]:
        ends = {f"{row[f'seeds_valid_{measured_by(row)}_{end}']:g}" for end in ("min", "max")}
        found = [f"valid from {' to '.join(sorted(ends, key=float))}"]
    if never:
        found.append(f"{never} of {row['seeds']} never valid")
    return "; ".join(found)
