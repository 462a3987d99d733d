"""Figure 9: does the growth of small errors tell the critical step?"""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from solverproof.auditing.intervals import mean_interval
from solverproof.reporting.figures.style import (
    PAGE,
    critical_interval,
    name_beside,
    steps_axis,
    style_of,
)
from solverproof.reporting.reading import read_csv
from solverproof.reporting.specifications import NoSpec

BEYOND = 1.6  # factor from the outermost settings to where an open interval ends


def figure(spec: NoSpec, audits: Path, criteria: Path) -> Figure:
    """Critical number of steps against growth, a point per task and training solver.

    Growth is the median over test samples of the integral of the logarithmic norm along
    trajectories, of the models with the most steps, as mean over seeds. The critical step is that
    of the drop. Bars are intervals at 95 %; one that is open leads on to the edge.

    Args:
        spec: empty.
        audits: the study's `audits.csv`.
        criteria: its `criteria.csv`.
    """
    del spec
    runs, found = read_csv(audits), read_csv(criteria)
    runs = runs[runs["controller"].isna() & runs["train_steps"].notna()]
    found = found[(found["criterion"] == "accuracy") & found["controller"].isna()]
    fig = Figure(figsize=(0.6 * PAGE, 3.2))
    ax = fig.subplots()
    steps_axis(ax, "critical number of training steps $N$")
    ax.set_ylabel(r"growth of small errors, $\int\mu\,dt$")
    ax.set_xlim(runs["train_steps"].min() / BEYOND, runs["train_steps"].max() * BEYOND)
    for _, row in found.iterrows():
        own = runs[(runs["task"] == row["task"]) & (runs["train_solver"] == row["train_solver"])]
        _point(ax, row, own)
    return fig


def _point(ax: Axes, row: pd.Series, runs: pd.DataFrame) -> None:
    style, settings = style_of(row["train_solver"]), sorted(runs["train_steps"].unique())
    growth = runs.loc[runs["train_steps"] == settings[-1], "growth_median"]
    ends = critical_interval(ax, row, settings)
    mean, reach = growth.mean(), mean_interval(growth)
    ax.plot(ends, [mean, mean], color=style.color, linewidth=0.6, alpha=0.6)
    at = row["critical_steps"]
    ax.plot([at, at], reach, color=style.color, linewidth=0.6, alpha=0.6)
    ax.plot(at, mean, style.marker, color=style.color, markersize=4)
    place = at if pd.notna(at) else ends[0]
    name_beside(ax, row["task"], (place, mean), (4, 3), color=style.color)
