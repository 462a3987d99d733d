"""Table 1: grid search against tolerances, and against controllers that choose the step size."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from solverproof.auditing.intervals import mean_interval, share_interval
from solverproof.evaluation.critical import Critical
from solverproof.evaluation.validity import Drop, has_trained
from solverproof.files import columns, read_json, write_text
from solverproof.ode.solvers import Solver, by_name
from solverproof.reporting.in_words import percent, score_with_interval, with_largest
from solverproof.reporting.published import TABLE
from solverproof.reporting.readable import write_readable
from solverproof.reporting.reading import read_csv, read_rows
from solverproof.reporting.settings import over_seeds
from solverproof.reporting.specifications import TablesSpec
from solverproof.reporting.tables import write_csv
from solverproof.training.specifications import ControlledTraining, SettingTraining

NFE = ("nfe_training", "nfe_late", "nfe_monitored")
MEANS = ["accuracy_reference", "accuracy", "error_reference", "error", "drop", "disagreement"]
DEVIATIONS = ["accuracy_reference", "accuracy", "error_reference", "error"]
HEADINGS = {
    "task": "task",
    "train_solver": "solver",
    "method": "method",
    "nfe": "NFE (95 %)",
    "nfe_late": "NFE, second half (95 %)",
    "accuracy_reference": "accuracy as an ODE (%, 95 %)",
    "accuracy": "accuracy with its solver (%, 95 %)",
    "published_nfe": "NFE (paper)",
    "published_accuracy": "accuracy (%, paper)",
    "nfe_monitored": "NFE with monitoring (95 %)",
    "drop": "drop, mean (95 %) / largest (%)",
    "disagreement": "predictions unlike the flow's, mean (95 %) / largest (%)",
    "valid": "seeds valid (95 %)",
    "invalid_checks": "checks invalid (%)",
    "oscillation": "movement of the step (octaves per 1,000 iterations)",
}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A row of `comparison.csv`: one way to choose a step size, for a task and a training solver.

    Attributes:
        task, train_solver: the task and the training solver.
        method: `grid search`, the tolerance of an adaptive solver, the number of steps beside a
            penalty, or the controller.
        train_steps, train_tolerance: that number of steps, or that tolerance.
        nfe_invalid, nfe_valid: evaluations of a forward pass at both ends of the critical bracket.
        nfe_training: of a tolerance, a penalty or a controller the evaluations of an iteration's
            forward passes, mean over training and seeds.
        nfe_training_low, nfe_training_high: Student's interval for it over seeds, at 95 %, as are
            all pairs of low and high but those of `valid`.
        nfe_late, ...: the same mean over the second half of training.
        nfe_monitored, ...: the same as `nfe_training`, including the controller's own evaluations.
        accuracy_reference_mean, ...: of the models' flows, over seeds.
        accuracy_mean, ...: with the training setting, over seeds.
        error_reference_mean, ..., error_sd: the same of the errors of real values.
        drop_mean, ..., drop_max: over seeds.
        disagreement_mean, ..., disagreement_max: share of predictions unlike the flow's.
        seeds, seeds_valid, seeds_failed, seeds_untrained: numbers of seeds.
        valid_low, valid_high: Clopper and Pearson's interval for the share of valid seeds, at 95 %.
        invalid_checks: share of the controller's checks that found the model invalid.
        oscillation: movement of the controller's step size or tolerance; see `_Effort`.
        published_nfe, published_accuracy: the paper's table 1.
    """

    task: str
    train_solver: str
    method: str
    train_steps: float = math.nan
    train_tolerance: float = math.nan
    nfe_invalid: float = math.nan
    nfe_valid: float = math.nan
    nfe_training: float = math.nan
    nfe_training_low: float = math.nan
    nfe_training_high: float = math.nan
    nfe_late: float = math.nan
    nfe_late_low: float = math.nan
    nfe_late_high: float = math.nan
    nfe_monitored: float = math.nan
    nfe_monitored_low: float = math.nan
    nfe_monitored_high: float = math.nan
    accuracy_reference_mean: float
    accuracy_reference_low: float
    accuracy_reference_high: float
    accuracy_reference_sd: float
    accuracy_mean: float
    accuracy_low: float
    accuracy_high: float
    accuracy_sd: float
    error_reference_mean: float
    error_reference_low: float
    error_reference_high: float
    error_reference_sd: float
    error_mean: float
    error_low: float
    error_high: float
    error_sd: float
    drop_mean: float
    drop_low: float
    drop_high: float
    drop_max: float
    disagreement_mean: float
    disagreement_low: float
    disagreement_high: float
    disagreement_max: float
    seeds: int
    seeds_valid: int
    valid_low: float
    valid_high: float
    seeds_failed: int
    seeds_untrained: int
    invalid_checks: float = math.nan
    oscillation: float = math.nan
    published_nfe: str | None
    published_accuracy: str | None


@dataclass(frozen=True)
class _Effort:
    """The cost and the checks of one run with a controller, or the cost of one with a setting.

    Attributes:
        task, train_solver, method, train_steps, train_tolerance: as of `Comparison`.
        published: the row of the paper's table to compare the results with; None if there is none.
        nfe: mean evaluations of an iteration's forward passes.
        nfe_late: the same over the second half of training; NaN without a check in it.
        nfe_monitored: the same as `nfe`, including the controller's own evaluations.
        invalid_checks: share of its checks that found the model invalid.
        oscillation: total variation of log2(step size or tolerance) over its checks, per thousand
            iterations: the octaves it goes up and down, which a trend adds to only once.
    """

    task: str
    train_solver: str
    method: str
    published: str | None
    nfe: float
    nfe_monitored: float
    nfe_late: float = math.nan
    invalid_checks: float = math.nan
    oscillation: float = math.nan
    train_steps: float = math.nan
    train_tolerance: float = math.nan


def compare(
    spec: TablesSpec,
    drops: Path,
    critical: Path,
    runs: Sequence[Path],
    checks: Sequence[Path],
    blocks: Sequence[Path],
    out: Path,
) -> None:
    """Write `comparison.csv`, `.md`, `.html` and `.tex` into a folder.

    Args:
        spec: the solvers that the configuration defines.
        drops: the study's `drops.csv`.
        critical: its `critical_steps.csv`.
        runs: `run.json` of every run with a controller.
        checks: `checks.csv` of the same runs, in the same order.
        blocks: `run.json` of every block whose setting does not say what an iteration takes: of a
            tolerance, and of steps with a penalty.
        out: folder of the tables.
    """
    dropped = read_rows(drops, Drop)
    solvers = by_name(spec.own_solvers)
    efforts = [
        _effort(read_json(run), read_csv(check)) for run, check in zip(runs, checks, strict=True)
    ]
    efforts += [effort for run in blocks for effort in _efforts_of_block(read_json(run))]
    brackets = read_rows(critical, Critical)
    brackets = brackets[brackets["measure"] == "drop"]  # the paper's, whose table this is
    rows = [
        *_grid_rows(dropped, brackets, solvers),
        *_other_rows(dropped, pd.DataFrame(map(vars, efforts))),
    ]
    table = pd.DataFrame(map(vars, rows), columns=columns(Comparison)).sort_values(
        ["task", "train_solver", "method"], kind="stable", ignore_index=True
    )
    write_csv(table, out / "comparison.csv")
    readable = _readable(table)
    write_readable(readable, out, "comparison")
    write_text(out / "comparison.tex", _latex(readable))


def _grid_rows(
    drops: pd.DataFrame, critical: pd.DataFrame, solvers: Mapping[str, Solver]
) -> Iterator[Comparison]:
    """A row per critical bracket of steps: its NFE, and accuracy and drop at the valid end."""
    for _, row in critical[critical["valid_steps"].notna()].iterrows():
        task, solver = row["task"], row["train_solver"]
        of_task = drops[(drops["task"] == task) & (drops["train_solver"] == solver)]
        runs = of_task[of_task["controller"].isna()]
        runs = runs[runs["train_steps"] == row["valid_steps"]]
        stages = solvers[solver].stages
        yield Comparison(
            method="grid search",
            nfe_invalid=row["invalid_steps"] * stages,
            nfe_valid=row["valid_steps"] * stages,
            **_results(task, solver, runs, published="grid"),
        )


def _other_rows(drops: pd.DataFrame, efforts: pd.DataFrame) -> Iterator[Comparison]:
    """A row per setting of a block and per controller: mean NFE over training, and what it gave."""
    groups = efforts.groupby(["task", "train_solver", "method"], sort=True)
    for (task, solver, method), group in groups:
        runs = drops[(drops["task"] == task) & (drops["train_solver"] == solver)]
        setting = group[["train_steps", "train_tolerance"]].iloc[0]
        if setting.isna().all():
            runs = runs[runs["controller"] == method]
        else:
            ((measure, value),) = setting.dropna().items()
            runs = runs[runs["controller"].isna() & (runs[measure] == value)]
        nfe = group.rename(columns={"nfe": "nfe_training"})[list(NFE)]
        low, high = mean_interval(nfe)
        yield Comparison(
            method=str(method),
            **setting,
            **nfe.mean(),
            **low.add_suffix("_low"),
            **high.add_suffix("_high"),
            invalid_checks=group["invalid_checks"].mean(),
            oscillation=group["oscillation"].mean(),
            **_results(str(task), str(solver), runs, published=group["published"].iloc[0]),
        )


def _results(
    task: str, solver: str, runs: pd.DataFrame, *, published: str | None
) -> dict[str, Any]:
    """The columns that all rows have."""
    found = over_seeds(runs, MEANS)
    low, high = share_interval(found["seeds_valid"], found["seeds"])
    nfe, accuracy = TABLE.get((task, solver), {}).get(published or "", (None, None))
    return {
        "task": task,
        "train_solver": solver,
        **found,
        **runs.loc[has_trained(runs), DEVIATIONS].std().add_suffix("_sd"),
        "valid_low": low,
        "valid_high": high,
        "published_nfe": nfe,
        "published_accuracy": accuracy,
    }


def _efforts_of_block(run: Mapping[str, Any]) -> Iterator[_Effort]:
    """One of each seed of a block that did not fail."""
    spec = SettingTraining.from_json(run["spec"])
    measure = "steps" if spec.setting.tolerance is None else "tolerance"
    for seed, nfe in run["mean_nfe"].items():
        if seed not in run["failures"]:  # whose mean is over iterations that it did not see
            yield _Effort(
                task=spec.task,
                train_solver=spec.setting.solver.name,
                method=f"{measure} {spec.setting.value:g}",
                published=None,
                nfe=nfe,
                nfe_monitored=nfe,
                **{f"train_{measure}": spec.setting.value},
            )


def _effort(run: Mapping[str, Any], checks: pd.DataFrame) -> _Effort:
    spec = ControlledTraining.from_json(run["spec"])
    (nfe,) = run["mean_nfe"].values()
    # In octaves, because a rule multiplies its size.
    sizes = np.log2(checks["step_size"].fillna(checks["tolerance"]).to_numpy(float))
    checked = len(checks) > 0
    monitoring = checks["monitoring_nfe"].max() / run["iterations"] if checked else 0.0
    invalid = checks["decision"].isin(["shrink", "finest"])
    return _Effort(
        task=spec.task,
        train_solver=spec.solver.name,
        method=spec.name,
        published=spec.controller.published(),
        nfe=nfe,
        nfe_late=_late_nfe(nfe, run["iterations"], checks),
        nfe_monitored=nfe + monitoring,
        invalid_checks=invalid.mean() if checked else np.nan,
        oscillation=_octaves_per_thousand(sizes, checks["iteration"]) if checked else np.nan,
    )


def _late_nfe(nfe: float, iterations: int, checks: pd.DataFrame) -> float:
    """Mean evaluations of a forward pass after the first check in the second half of training."""
    late = checks[(checks["iteration"] > iterations / 2) & (checks["iteration"] <= iterations)]
    if late.empty:
        return math.nan
    first = late.iloc[0]  # which counts the passes of all iterations before its own
    return float((nfe * iterations - first["total_nfe"]) / (iterations - first["iteration"] + 1))


def _octaves_per_thousand(sizes: np.ndarray, iterations: pd.Series) -> float:
    span = iterations.max() - iterations.min()
    return float(1000 * np.abs(np.diff(sizes)).sum() / span) if span else math.nan


def _readable(table: pd.DataFrame) -> pd.DataFrame:
    """All cells as text, under the headings of `HEADINGS`."""
    grid = table["nfe_valid"].notna()
    low = table["nfe_invalid"].map(lambda n: f"{n:.0f}–", na_action="ignore").fillna("at most ")
    bracket = low + table["nfe_valid"].map("{:.0f}".format)
    plain = ("task", "train_solver", "method", "published_nfe", "published_accuracy")
    rows = [row for _, row in table.iterrows()]
    oscillation = table["oscillation"]
    text = {
        **{name: table[name] for name in plain},
        "nfe": bracket.where(grid, [_nfe(row, "nfe_training") for row in rows]),
        "nfe_late": [_nfe(row, "nfe_late") for row in rows],
        "nfe_monitored": [_nfe(row, "nfe_monitored") for row in rows],
        "accuracy_reference": [score_with_interval(row, "_reference") for row in rows],
        "accuracy": [score_with_interval(row) for row in rows],
        **{name: [with_largest(row, name) for row in rows] for name in ("drop", "disagreement")},
        "valid": [_valid(row) for row in rows],
        "invalid_checks": table["invalid_checks"].map(percent),
        "oscillation": oscillation.map("{:.2f}".format).mask(oscillation.isna(), "–"),
    }
    return pd.DataFrame({heading: text[name] for name, heading in HEADINGS.items()}).fillna("–")


def _nfe(row: pd.Series, name: str) -> str:
    mean, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    if pd.isna(mean):
        return "–"
    return f"{mean:.1f}" if pd.isna(low) else f"{mean:.1f} ({low:.1f} to {high:.1f})"


def _valid(row: pd.Series) -> str:
    ends = f"{100 * row['valid_low']:.0f}–{100 * row['valid_high']:.0f} %"
    return f"{row['seeds_valid']} of {row['seeds']} ({ends})"


def _latex(readable: pd.DataFrame) -> str:
    escaped = readable.rename(columns=lambda heading: heading.replace("%", r"\%"))
    return str(escaped.map(_escaped).to_latex(index=False))


def _escaped(cell: Any) -> str:
    return (
        str(cell).replace("_", r"\_").replace("±", r"$\pm$").replace("–", "--").replace("%", r"\%")
    )
