"""From the evaluations of single cells to the tables of the study."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from solverproof.files import write_text
from solverproof.validity import critical_steps, drops

WHOLE = [
    "train_steps", "test_steps", "worst_steps", "nfe", "seed", "invalid_steps", "valid_steps",
    "seeds_valid_steps_min", "seeds_valid_steps_max",
]  # fmt: skip
ORDER = ["task", "train_solver", "train_steps", "seed", "test_solver", "test_steps"]


def tabulate(spec: Mapping[str, Any], evaluations: Sequence[Path], out: Path) -> None:
    """Write `evaluations.csv`, `drops.csv` and `critical_steps.csv` and `.md` into a folder.

    Args:
        spec: `threshold`, the largest drop that counts as valid.
        evaluations: the CSV files of all cells.
        out: folder of the tables.
    """
    table = pd.concat([pd.read_csv(path) for path in evaluations]).sort_values(ORDER, ignore_index=True)
    write_csv(table, out / "evaluations.csv")
    dropped = drops(table, spec["threshold"])
    write_csv(dropped, out / "drops.csv")
    critical = critical_steps(dropped, spec["threshold"])
    write_csv(critical, out / "critical_steps.csv")
    write_text(out / "critical_steps.md", critical_markdown(critical))


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table atomically, floats in full precision, steps as whole numbers, truth in lower case."""
    written = table.astype({name: "Int64" for name in WHOLE if name in table})
    for name in table.select_dtypes(bool):
        written[name] = table[name].map({True: "true", False: "false"})
    write_text(path, written.to_csv(index=False, lineterminator="\n"))


def critical_markdown(critical: pd.DataFrame) -> str:
    """The critical brackets as a Markdown table for readers."""
    readable = pd.DataFrame(
        {
            "task": critical["task"],
            "training solver": critical["train_solver"],
            "critical bracket (steps)": [_bracket(row) for _, row in critical.iterrows()],
            "brackets of single seeds": [_spread(row) for _, row in critical.iterrows()],
            "accuracy at the valid end": [_accuracy(row) for _, row in critical.iterrows()],
            "failed runs": critical["failed_runs"],
        }
    )
    return str(readable.to_markdown(index=False)) + "\n"


def _bracket(row: pd.Series) -> str:
    invalid, valid = row["invalid_steps"], row["valid_steps"]
    if pd.isna(valid):
        return f"above {invalid:.0f}: no setting is valid"
    if pd.isna(invalid):
        return f"up to {valid:.0f}: every setting is valid"
    return f"{invalid:.0f}–{valid:.0f}"


def _spread(row: pd.Series) -> str:
    low, high, never = row["seeds_valid_steps_min"], row["seeds_valid_steps_max"], row["seeds_never_valid"]
    missing = f"; {never} of {row['seeds']} never valid" if never else ""
    if pd.isna(low):
        return f"{never} of {row['seeds']} never valid"
    return (f"valid from {low:.0f}" if low == high else f"valid from {low:.0f} to {high:.0f}") + missing


def _accuracy(row: pd.Series) -> str:
    if pd.isna(row["accuracy_mean"]):
        return "–"
    spread = "" if pd.isna(row["accuracy_sd"]) else f" ± {100 * row['accuracy_sd']:.1f}"
    return f"{100 * row['accuracy_mean']:.1f}{spread} %"
