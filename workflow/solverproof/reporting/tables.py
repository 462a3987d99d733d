"""From the evaluations of single cells to the tables of the study."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from solverproof.evaluation.validity import critical_steps, drops
from solverproof.files import write_text
from solverproof.ode.solvers import SOLVERS

WHOLE = [
    "train_steps", "test_steps", "worst_steps", "nfe", "seed", "invalid_steps", "valid_steps",
    "seeds_valid_steps_min", "seeds_valid_steps_max", "nfe_invalid", "nfe_valid",
]  # fmt: skip
ORDER = [
    "task", "train_solver", "controller", "train_steps", "train_tolerance", "seed",
    "test_solver", "test_steps", "test_tolerance",
]  # fmt: skip


def tabulate(spec: Mapping[str, Any], evaluations: Sequence[Path], out: Path) -> None:
    """Write `evaluations.csv`, `drops.csv` and `critical_steps.csv` and `.md` into a folder.

    Args:
        spec: `threshold`, the largest drop that counts as valid.
        evaluations: the CSV files of all cells.
        out: folder of the tables.
    """
    parts = [pd.read_csv(path) for path in evaluations]
    # columns that are empty in a part have no type of their own there
    table = pd.concat([part.astype(object) for part in parts]).infer_objects().sort_values(ORDER, ignore_index=True)
    write_csv(table, out / "evaluations.csv")
    dropped = drops(table, spec["threshold"])
    write_csv(dropped, out / "drops.csv")
    critical = critical_steps(dropped, spec["threshold"])
    write_csv(critical, out / "critical_steps.csv")
    write_text(out / "critical_steps.md", critical_markdown(critical))


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table atomically: floats in full precision, steps as whole numbers, `true` and `false`."""
    whole = [name for name in WHOLE if name in table]
    typed = table.astype(dict.fromkeys(whole, "Float64")).astype(dict.fromkeys(whole, "Int64"))
    for name in typed.select_dtypes(bool):
        typed[name] = typed[name].map({True: "true", False: "false"})
    write_text(path, typed.to_csv(index=False, lineterminator="\n"))


def percent(mean: float, sd: float = float("nan")) -> str:
    """A share as percent with one decimal, with its standard deviation where there is one."""
    if pd.isna(mean):
        return "–"
    return f"{100 * mean:.1f}" if pd.isna(sd) else f"{100 * mean:.1f} ± {100 * sd:.1f}"


def critical_markdown(critical: pd.DataFrame) -> str:
    """The critical brackets as a Markdown table for readers."""
    readable = pd.DataFrame(
        {
            "task": critical["task"],
            "training solver": critical["train_solver"],
            "critical bracket": [_bracket(row) for _, row in critical.iterrows()],
            "brackets of single seeds": [_spread(row) for _, row in critical.iterrows()],
            "accuracy at the valid end (%)": [
                percent(mean, sd) for mean, sd in zip(critical["accuracy_mean"], critical["accuracy_sd"], strict=True)
            ],
            "failed runs": critical["failed_runs"],
        }
    )
    return str(readable.to_markdown(index=False)) + "\n"


def _measured(row: pd.Series, name: str) -> Any:
    """A column of the solver's own kind: `name` of steps or of tolerance."""
    return row[name.format(SOLVERS[row["train_solver"]].measure)]


def _bracket(row: pd.Series) -> str:
    invalid, valid = _measured(row, "invalid_{}"), _measured(row, "valid_{}")
    measure = SOLVERS[row["train_solver"]].measure
    if pd.isna(valid):
        return f"no setting valid (finest: {measure} {invalid:g})"
    if pd.isna(invalid):
        return f"all valid (coarsest: {measure} {valid:g})"
    return f"{measure} {invalid:g}–{valid:g}"


def _spread(row: pd.Series) -> str:
    never = row["seeds_never_valid"]
    missing = f"{never} of {row['seeds']} never valid" if never else ""
    ends = {f"{_measured(row, 'seeds_valid_{}_' + end):g}" for end in ("min", "max") if never < row["seeds"]}
    found = [f"valid from {' to '.join(sorted(ends, key=float))}"] if ends else []
    return "; ".join([*found, *([missing] if missing else [])])
