"""Table 1: grid search against training that chooses its step as it goes."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from solverproof.files import read_json, write_text
from solverproof.ode.solvers import SOLVERS
from solverproof.reporting.tables import percent, write_csv

# Ott et al. 2021, table 1: task and solver to NFE and accuracy (%) of grid search and adaptation
PUBLISHED = {
    ("sphere2", "euler"): {"grid": ("65–129", "98.7 ± 1.0"), "adaptation": ("100.5", "98.9 ± 0.6")},
    ("cifar10", "euler"): {"grid": ("17–33", "54.7 ± 0.3"), "adaptation": ("21.9", "55.0 ± 0.8")},
}
COLUMNS = [
    "task", "train_solver", "method", "nfe_invalid", "nfe_valid", "nfe_training", "nfe_monitored", "accuracy_mean",
    "accuracy_sd", "drop_mean", "drop_max", "seeds", "seeds_valid", "seeds_failed", "invalid_checks", "oscillation",
    "published_nfe", "published_accuracy",
]  # fmt: skip
HEADINGS = {
    "task": "task",
    "train_solver": "solver",
    "method": "method",
    "nfe": "NFE",
    "accuracy": "accuracy (%)",
    "published_nfe": "NFE (paper)",
    "published_accuracy": "accuracy (%, paper)",
    "nfe_monitored": "NFE with monitoring",
    "drop": "drop, mean / largest (%)",
    "valid": "seeds valid",
    "invalid_checks": "checks invalid (%)",
    "oscillation": "spread of the step (octaves)",
}


def compare(drops: Path, critical: Path, runs: Sequence[Path], checks: Sequence[Path], out: Path) -> None:
    """Write `comparison.csv`, `.md` and `.tex` into a folder.

    Args:
        drops: the study's `drops.csv`.
        critical: its `critical_steps.csv`.
        runs: `run.json` of every run with a controller.
        checks: `checks.csv` of the same runs, in the same order.
        out: folder of the tables.
    """
    dropped = pd.read_csv(drops)
    controlled = [_efforts(read_json(run), pd.read_csv(check)) for run, check in zip(runs, checks, strict=True)]
    rows = [*_grid_rows(dropped, pd.read_csv(critical)), *_controlled_rows(dropped, pd.DataFrame(controlled))]
    table = pd.DataFrame(rows, columns=COLUMNS).sort_values(
        ["task", "train_solver", "method"], kind="stable", ignore_index=True
    )
    write_csv(table, out / "comparison.csv")
    readable = _readable(table)
    write_text(out / "comparison.md", str(readable.to_markdown(index=False, disable_numparse=True)) + "\n")
    write_text(out / "comparison.tex", _latex(readable))


def _grid_rows(drops: pd.DataFrame, critical: pd.DataFrame) -> Iterable[dict[str, Any]]:
    """A row per critical bracket of fixed steps: its NFE, and accuracy and drop at the valid end."""
    for _, row in critical[critical["valid_steps"].notna()].iterrows():
        task, solver = row["task"], row["train_solver"]
        runs = drops[(drops["task"] == task) & (drops["train_solver"] == solver) & drops["controller"].isna()]
        runs = runs[runs["train_steps"] == row["valid_steps"]]
        stages = SOLVERS[solver].stages
        yield {
            **_result(task, solver, "grid search", runs),
            "nfe_invalid": row["invalid_steps"] * stages,
            "nfe_valid": row["valid_steps"] * stages,
            **_published(task, solver, "grid"),
        }


def _controlled_rows(drops: pd.DataFrame, efforts: pd.DataFrame) -> Iterable[dict[str, Any]]:
    """A row per controller: mean NFE over training and seeds, accuracy and drop at the end of training."""
    for (task, solver, method), group in efforts.groupby(["task", "train_solver", "controller"], sort=True):
        of_task = drops[(drops["task"] == task) & (drops["train_solver"] == solver)]
        yield {
            **_result(str(task), str(solver), str(method), of_task[of_task["controller"] == method]),
            "nfe_training": group["nfe"].mean(),
            "nfe_monitored": group["nfe_monitored"].mean(),
            "invalid_checks": group["invalid_checks"].mean(),
            "oscillation": group["oscillation"].mean(),
            **_published(str(task), str(solver), group["published"].iloc[0]),
        }


def _result(task: str, solver: str, method: str, runs: pd.DataFrame) -> dict[str, Any]:
    return {
        "task": task,
        "train_solver": solver,
        "method": method,
        "accuracy_mean": runs["accuracy"].mean(),
        "accuracy_sd": runs["accuracy"].std(),
        "drop_mean": runs["drop"].mean(),
        "drop_max": runs["drop"].max(),
        "seeds": len(runs),
        "seeds_valid": int(runs["valid"].sum()),
        "seeds_failed": int(runs["accuracy"].isna().sum()),
    }


def _published(task: str, solver: str, kind: str) -> dict[str, Any]:
    nfe, accuracy = PUBLISHED.get((task, solver), {}).get(kind, (None, None))
    return {"published_nfe": nfe, "published_accuracy": accuracy}


def _efforts(run: Mapping[str, Any], checks: pd.DataFrame) -> dict[str, Any]:
    """What one run with a controller took.

    `oscillation` is the standard deviation of log2(step size or tolerance) over the second half of
    the checks: 0.5 means that the step wanders by about half an octave around its mean.
    """
    spec = run["spec"]
    task, solver, name = spec["identity"].split("/")
    (nfe,) = run["mean_nfe"].values()
    sizes = np.log2(checks["step_size"].fillna(checks["tolerance"]).to_numpy(float))
    monitoring = checks["monitoring_nfe"].max() / spec["protocol"]["iterations"] if len(checks) else 0.0
    return {
        "task": task,
        "train_solver": solver,
        "controller": name,
        "published": "adaptation" if spec["controller"].get("test_solver") == "midpoint" else "",
        "nfe": nfe,
        "nfe_monitored": nfe + monitoring,
        "invalid_checks": checks["decision"].isin(["shrink", "finest"]).mean() if len(checks) else np.nan,
        "oscillation": sizes[len(sizes) // 2 :].std() if len(checks) else np.nan,
    }


def _readable(table: pd.DataFrame) -> pd.DataFrame:
    """Cells as text, under the headings of `HEADINGS`."""
    grid = table["nfe_valid"].notna()
    low = table["nfe_invalid"].map(lambda n: f"{n:.0f}–", na_action="ignore").fillna("at most ")
    bracket = low + table["nfe_valid"].map("{:.0f}".format)
    text = {
        **{name: table[name] for name in ("task", "train_solver", "method", "published_nfe", "published_accuracy")},
        "nfe": bracket.where(grid, table["nfe_training"].map("{:.1f}".format)),
        "nfe_monitored": table["nfe_monitored"].map("{:.1f}".format).mask(grid, "–"),
        "accuracy": [percent(m, s) for m, s in zip(table["accuracy_mean"], table["accuracy_sd"], strict=True)],
        "drop": [f"{percent(m)} / {percent(x)}" for m, x in zip(table["drop_mean"], table["drop_max"], strict=True)],
        "valid": table["seeds_valid"].astype(str) + " of " + table["seeds"].astype(str),
        "invalid_checks": table["invalid_checks"].map(percent),
        "oscillation": table["oscillation"].map("{:.2f}".format).mask(table["oscillation"].isna(), "–"),
    }
    return pd.DataFrame({heading: text[name] for name, heading in HEADINGS.items()}).fillna("–")


def _latex(readable: pd.DataFrame) -> str:
    escaped = readable.rename(columns=lambda heading: heading.replace("%", r"\%"))
    escaped = escaped.map(lambda cell: str(cell).replace("_", r"\_").replace("±", r"$\pm$").replace("–", "--"))
    return str(escaped.to_latex(index=False))
