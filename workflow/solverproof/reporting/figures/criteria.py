"""Figure 6: from how many training steps on models are ODEs, by several criteria."""

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from solverproof.evaluation.audit_rows import VERDICTS
from solverproof.reporting.figures.style import (
    PAGE,
    SolverStyle,
    aside,
    critical_axis,
    draw_critical,
    key_below,
    label_panels,
    style_of,
)
from solverproof.reporting.reading import read_csv
from solverproof.reporting.specifications import NoSpec

CRITERIA = {
    "accuracy": "drop under finer solvers\nat most {:g} %",
    "disagreement": "unlike the flow's at most\n{:g} % of predictions",
    "control_ratio": "lead lost (ρ ≥ 1) by at most\n{:g} % of predictions",
    "crossing": "no trajectories cross\nin a step (Euler)",
}


def figure(spec: NoSpec, audits: Path, criteria: Path) -> Figure:
    """One panel per task, two to a row: the critical number of steps by each criterion.

    A colour stands for a training solver, bars are intervals at 95 %; an arrow leads beyond the
    settings that were run, which are ticks below. On the right stands, of the models that meet a
    criterion, how many the audit fails.

    Args:
        spec: empty.
        audits: the study's `audits.csv`.
        criteria: its `criteria.csv`.
    """
    del spec
    runs, found = (_of_grids(read_csv(path)) for path in (audits, criteria))
    runs = runs[runs["train_steps"].notna()]
    found = found[found["train_solver"].isin(runs["train_solver"])]
    tasks = list(dict.fromkeys(runs["task"]))
    columns = min(2, len(tasks))
    rows = math.ceil(len(tasks) / columns)
    fig = Figure(
        figsize=(PAGE if columns > 1 else 0.6 * PAGE, 2.9 if rows == 1 else 0.5 + 2.1 * rows)
    )
    axes = list(fig.subplots(rows, columns, squeeze=False).flat)
    while len(axes) > len(tasks):
        axes.pop().remove()
    for ax, task in zip(axes, tasks, strict=True):
        _panel(ax, runs[runs["task"] == task], found[found["task"] == task])
        ax.set_title(task)
    for left, right in zip(axes[::2], axes[1::2], strict=False):
        if _names(left) == _names(right):
            right.set_yticklabels([])
    for ax in axes[:-columns]:
        ax.set_xlabel("")
    if len(tasks) > 1:
        label_panels(axes)
    key_below(fig, 5 if columns > 1 else 3)
    return fig


def _names(ax: Axes) -> list[str]:
    return [tick.get_text() for tick in ax.get_yticklabels()]


def _of_grids(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["controller"].isna()]


def _panel(ax: Axes, runs: pd.DataFrame, found: pd.DataFrame) -> None:
    names = [name for name in CRITERIA if name in set(found["criterion"])]
    solvers = list(dict.fromkeys(found["train_solver"]))
    critical_axis(ax, runs["train_steps"])
    ax.set_ylim(len(names) - 0.4, -0.6)
    thresholds = found.groupby("criterion")["threshold"].first()
    ax.set_yticks(
        range(len(names)), [CRITERIA[name].format(100 * thresholds[name]) for name in names]
    )
    for line in range(1, len(names)):
        ax.axhline(line - 0.5, color="0.85", linewidth=0.6, zorder=0)
    for solver in solvers:
        settings = sorted(set(runs.loc[runs["train_solver"] == solver, "train_steps"]))
        for _, row in found[found["train_solver"] == solver].iterrows():
            place = names.index(row["criterion"]) + aside(solver, solvers)
            _criterion(ax, row, place, settings, style_of(solver))
    ax.annotate(
        "FAIL of those\nthat meet it", (1.04, 1.0), xycoords="axes fraction", va="bottom",
        fontsize=6, color="0.3",
    )  # fmt: skip


def _criterion(
    ax: Axes, row: pd.Series, place: float, settings: Sequence[float], style: SolverStyle
) -> None:
    draw_critical(ax, row, place, settings, style)
    met = [int(row[f"met_{verdict.lower()}"]) for verdict in VERDICTS]
    ax.annotate(
        f"{row['met_fail']} of {sum(met)}", (1.04, place), va="center", fontsize=6,
        xycoords=("axes fraction", "data"), color=style.color,
    )  # fmt: skip
