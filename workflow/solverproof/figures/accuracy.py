"""Figure 4: test accuracy against the number of test steps, for every training setting."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from solverproof.figures.style import (
    PAGE,
    SETTINGS_COLORMAP,
    SOLVER_MARKERS,
    SOLVER_NAMES,
    letter,
    steps_axis,
)


def figure(spec: Mapping[str, Any], evaluations: Path) -> Figure:
    """One panel per training solver of a task.

    A colour is a training setting, a marker a test solver, a dark marker the training setting
    itself; points are means over seeds, bars standard deviations.

    Args:
        spec: `task`, `solvers` (training solvers) and `chance`, the accuracy of a guess.
        evaluations: the study's `evaluations.csv`.
    """
    table = pd.read_csv(evaluations)
    table = table[(table["task"] == spec["task"]) & (table["adapted"] == False)]  # noqa: E712  pandas needs ==
    colors = _setting_colors(sorted(table["train_steps"].unique()))
    panels = len(spec["solvers"])
    width = PAGE if panels > 1 else 0.62 * PAGE
    fig, axes = plt.subplots(1, panels, figsize=(width, 2.9), sharey=True, squeeze=False)
    for ax, solver in zip(axes[0], spec["solvers"], strict=True):
        _panel(ax, table[table["train_solver"] == solver], solver, colors)
        ax.axhline(100 * spec["chance"], color="0.7", linewidth=0.8, linestyle=":", zorder=0)
    axes[0, 0].set_ylabel("test accuracy (%)")
    _legends(fig, colors, sorted(table["test_solver"].unique()))
    if panels > 1:
        letter(axes[0])
    return fig


def _panel(ax: Axes, table: pd.DataFrame, solver: str, colors: Mapping[int, Any]) -> None:
    for steps, color in colors.items():
        for test_solver, runs in table[table["train_steps"] == steps].groupby("test_solver"):
            _line(ax, runs, str(test_solver), color)
    own = table[(table["test_solver"] == solver) & (table["test_steps"] == table["train_steps"])]
    accuracy = 100 * own.groupby("train_steps")["accuracy"].mean()
    ax.plot(accuracy.index, accuracy, SOLVER_MARKERS[solver], color="black", markersize=5, zorder=5)
    steps_axis(ax, "number of test steps $N$")
    failed = own["status"].eq("diverged").sum()
    ax.set_title(f"trained with {SOLVER_NAMES[solver]} ({failed} of {len(own)} runs failed)")


def _setting_colors(steps: Sequence[int]) -> dict[int, Any]:
    """A colour for every training setting, the same in all panels."""
    colormap: Colormap = mpl.colormaps[SETTINGS_COLORMAP]
    return {n: colormap(0.12 + 0.88 * i / max(1, len(steps) - 1)) for i, n in enumerate(steps)}


def _line(ax: Axes, runs: pd.DataFrame, test_solver: str, color: Any) -> None:
    accuracy = 100 * runs.groupby("test_steps")["accuracy"].agg(["mean", "std"])
    ax.errorbar(
        accuracy.index,
        accuracy["mean"],
        yerr=accuracy["std"],
        color=color,
        marker=SOLVER_MARKERS[test_solver],
        markersize=3,
        linewidth=0.7,
        elinewidth=0.5,
    )


def _legends(fig: Figure, colors: Mapping[int, Any], test_solvers: Iterable[str]) -> None:
    """What colours and markers mean, once for all panels and outside of them."""
    settings = [Line2D([], [], color=color, label=str(n)) for n, color in colors.items()]
    shapes = [
        Line2D([], [], color="0.5", marker=SOLVER_MARKERS[s], markersize=4, linestyle="", label=SOLVER_NAMES[s])
        for s in test_solvers
    ]
    own = Line2D([], [], color="black", marker="o", markersize=5, linestyle="", label="test = train")
    fig.legend(handles=settings, title="training steps", loc="outside right upper")
    fig.legend(handles=[*shapes, own], title="test solver", loc="outside right lower")
