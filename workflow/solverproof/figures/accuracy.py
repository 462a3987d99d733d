"""Figure 4: test accuracy against the test setting, for every training setting."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

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
    letter,
    look,
    steps_axis,
    tolerance_axis,
)
from solverproof.solvers import SOLVERS

Place = Literal["outside right upper", "outside right center"]
PLACES: dict[str, Place] = {"steps": "outside right upper", "tolerance": "outside right center"}


def figure(spec: Mapping[str, Any], evaluations: Path) -> Figure:
    """One panel per training solver of a task, against steps for fixed-step solvers, tolerance for adaptive ones.

    A colour is a training setting, a marker a test solver, a dark marker the training setting
    itself; points are means over seeds, bars standard deviations.

    Args:
        spec: `task`, `solvers` (training solvers) and `chance`, the accuracy of a guess.
        evaluations: the study's `evaluations.csv`.
    """
    table = pd.read_csv(evaluations)
    table = table[(table["task"] == spec["task"]) & table["controller"].isna()]
    measures: list[str] = [SOLVERS[solver].measure for solver in spec["solvers"]]
    colors = {measure: _setting_colors(table, measure) for measure in dict.fromkeys(measures)}
    panels = len(spec["solvers"])
    columns = min(2, panels)
    rows = -(-panels // columns)
    width = PAGE if columns > 1 else 0.62 * PAGE
    fig, grid = plt.subplots(rows, columns, figsize=(width, 2.7 * rows), sharey=True, squeeze=False)
    for ax, solver, measure in zip(grid.flat, spec["solvers"], measures, strict=False):
        _panel(ax, table[table["train_solver"] == solver], solver, colors[measure])
        ax.axhline(100 * spec["chance"], color="0.7", linewidth=0.8, linestyle=":", zorder=0)
    for ax in grid.flat[panels:]:
        ax.remove()
    for ax in grid[:, 0]:
        ax.set_ylabel("test accuracy (%)")
    _legends(fig, colors, table["test_solver"].unique())
    if panels > 1:
        letter(grid.flat[:panels])
    return fig


def _panel(ax: Axes, table: pd.DataFrame, solver: str, colors: Mapping[float, Any]) -> None:
    train, test = f"train_{SOLVERS[solver].measure}", f"test_{SOLVERS[solver].measure}"
    for fineness, color in colors.items():
        for test_solver, runs in table[table[train] == fineness].groupby("test_solver"):
            _line(ax, runs, test, str(test_solver), color)
    own = table[(table["test_solver"] == solver) & (table[test] == table[train])]
    accuracy = 100 * own.groupby(train)["accuracy"].mean()
    ax.plot(accuracy.index, accuracy, look(solver).marker, color="black", markersize=5, zorder=5)
    if SOLVERS[solver].is_adaptive:
        tolerance_axis(ax, "test tolerance")
    else:
        steps_axis(ax, "number of test steps $N$")
    failed = own["accuracy"].isna().sum()
    ax.set_title(f"trained with {look(solver).name} ({failed} of {len(own)} runs failed)")


def _setting_colors(table: pd.DataFrame, measure: str) -> dict[float, Any]:
    """A colour for every training setting, coarse to fine, the same in all panels."""
    finenesses = sorted(table[f"train_{measure}"].dropna().unique(), reverse=measure == "tolerance")
    colormap: Colormap = mpl.colormaps[SETTINGS_COLORMAP]
    return {n: colormap(0.12 + 0.88 * i / max(1, len(finenesses) - 1)) for i, n in enumerate(finenesses)}


def _line(ax: Axes, runs: pd.DataFrame, test: str, test_solver: str, color: Any) -> None:
    accuracy = 100 * runs.groupby(test)["accuracy"].agg(["mean", "std"])
    ax.errorbar(
        accuracy.index,
        accuracy["mean"],
        yerr=accuracy["std"],
        color=color,
        marker=look(test_solver).marker,
        markersize=3,
        linewidth=0.7,
        elinewidth=0.5,
    )


def _legends(fig: Figure, colors: Mapping[str, Mapping[float, Any]], test_solvers: Iterable[str]) -> None:
    """What colours and markers mean, once for all panels and outside of them."""
    for measure, settings in colors.items():
        handles = [Line2D([], [], color=color, label=f"{n:g}") for n, color in settings.items()]
        fig.legend(handles=handles, title=f"training {measure}", loc=PLACES[measure])
    shapes = [
        Line2D([], [], color="0.5", marker=look(s).marker, markersize=4, linestyle="", label=look(s).name)
        for s in sorted(test_solvers)
    ]
    own = Line2D([], [], color="black", marker="o", markersize=5, linestyle="", label="test = train")
    fig.legend(handles=[*shapes, own], title="test solver", loc="outside right lower")
