"""Figure 9: does the growth of small errors tell the critical step?"""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from solverproof.auditing.intervals import mean_interval
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


def figure(spec: NoSpec, audits: Path, criteria: Path) -> Figure:
    """Growth, and beside it the critical number of steps: a row per task, the least growth below.

    Growth is the median over test samples of the integral of the logarithmic norm along
    trajectories, of the models with the most steps, as mean over seeds. The critical step is that
    of the drop. A colour stands for a training solver, bars are intervals at 95 %; an arrow leads
    beyond the settings that were run, which are ticks.

    Args:
        spec: empty.
        audits: the study's `audits.csv`.
        criteria: its `criteria.csv`.
    """
    del spec
    runs, found = read_csv(audits), read_csv(criteria)
    runs = runs[runs["controller"].isna() & runs["train_steps"].notna()]
    found = found[(found["criterion"] == "accuracy") & found["controller"].isna()]
    of_finest = runs.groupby(["task", "train_solver"])["train_steps"].transform("max")
    finest = runs[runs["train_steps"] == of_finest]
    tasks = list(finest.groupby("task")["growth_median"].mean().sort_values().index)
    solvers = list(dict.fromkeys(found["train_solver"]))
    fig = Figure(figsize=(PAGE, 1.1 + 0.27 * len(tasks)))
    left, right = fig.subplots(1, 2, sharey=True)
    left.set_title("growth of small errors")
    left.set_xlabel(r"$\int\mu\,dt$")
    left.set_yticks(range(len(tasks)), tasks)
    left.set_ylim(-0.6, len(tasks) - 0.4)
    right.set_title("where models become ODEs")
    critical_axis(right, runs["train_steps"])
    for _, row in found.iterrows():
        own = (runs["task"] == row["task"]) & (runs["train_solver"] == row["train_solver"])
        settings = sorted(runs.loc[own, "train_steps"].unique())
        style = style_of(row["train_solver"])
        place = tasks.index(row["task"]) + aside(row["train_solver"], solvers)
        _grown(left, finest.loc[own, "growth_median"], place, style)
        draw_critical(right, row, place, settings, style)
    label_panels((left, right))
    key_below(fig, 5)
    return fig


def _grown(ax: Axes, growth: pd.Series, place: float, style: SolverStyle) -> None:
    ax.plot(mean_interval(growth), [place, place], color=style.color, linewidth=1.2)
    ax.plot(growth.mean(), place, style.marker, color=style.color, markersize=5)
