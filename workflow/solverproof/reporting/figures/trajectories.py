"""Figure 1: trajectories of a model trained with a small step and of one with a large step."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from solverproof.files import read_arrays
from solverproof.reporting.figures.style import (
    CLASS_COLORS,
    PAGE,
    class_handles,
    count_failures,
    errorbars,
    label_panels,
    read_evaluations,
    steps_axis,
    style_of,
    with_score,
)
from solverproof.reporting.specifications import FlowSpec


def figure(spec: FlowSpec, fine: Path, coarse: Path, evaluations: Path, drops: Path) -> Figure:
    """Trajectories (a, b) and accuracy against test steps with the training solver (c, d).

    Args:
        spec: which models they are.
        fine: trace of the model with the small step.
        coarse: trace of the model with the large step.
        evaluations: the study's `evaluations.csv`.
        drops: its `drops.csv`.
    """
    table = read_evaluations(evaluations, drops)
    own = table[(table["task"] == spec.task) & (table["train_solver"] == spec.solver)]
    own = with_score(own[(own["test_solver"] == spec.solver) & own["controller"].isna()])
    fig = Figure(figsize=(PAGE, 5.6))
    axes = fig.subplots(2, 2, height_ratios=(3, 2))
    for column, (trace, steps) in enumerate(((fine, spec.fine), (coarse, spec.coarse))):
        title = f"trained with {style_of(spec.solver).name}, $N$ = {steps}"
        _trajectories(axes[0, column], read_arrays(trace), title)
        _accuracy(axes[1, column], own[own["train_steps"] == steps], spec.solver, steps)
    axes[1, 0].sharey(axes[1, 1])
    fig.legend(handles=_handles(spec.solver), loc="outside lower center", ncols=5)
    label_panels(axes.flat)
    return fig


def _trajectories(ax: Axes, trace: Mapping[str, np.ndarray], title: str) -> None:
    few = len(trace["trajectories"]) < 10
    for path, label in zip(
        trace["trajectories"].transpose(1, 0, 2), trace["trajectory_labels"], strict=True
    ):
        color = CLASS_COLORS[label]
        ax.plot(
            *path.T,
            color=color,
            linewidth=0.6,
            marker="." if few else "",
            markersize=2.5,
            alpha=0.7,
        )
        ax.plot(*path[0], "o", color=color, markersize=3, fillstyle="none", markeredgewidth=0.6)
        ax.plot(*path[-1], "o", color=color, markersize=3)
    _look_at_most(ax, trace["trajectories"].reshape(-1, 2))
    ax.set(title=title, xlabel="$z_1$", ylabel="$z_2$")


def _look_at_most(ax: Axes, states: np.ndarray) -> None:
    """Set limits around nine tenths of the states.

    A model may move a few points a thousand times as far as the others.
    """
    finite = states[np.isfinite(states).all(axis=1)]
    if len(finite):
        (left, bottom), (right, top) = np.percentile(finite, [5, 95], axis=0)
        ax.set(xlim=_widened(left, right), ylim=_widened(bottom, top))


def _widened(low: float, high: float) -> tuple[float, float]:
    margin = 0.3 * (high - low) or 1.0
    return low - margin, high + margin


def _accuracy(ax: Axes, runs: pd.DataFrame, solver: str, train_steps: int) -> None:
    marker, shown = style_of(solver).marker, runs[~runs["untrained"]]
    errorbars(ax, shown, "test_steps", color="0.5", marker=marker, markersize=4)
    own = runs[runs["test_steps"] == train_steps]
    mean = own[~own["untrained"]]["score"].mean()
    ax.plot(train_steps, mean, marker, color="black", markersize=6, zorder=5)
    steps_axis(ax, f"number of {style_of(solver).name} test steps $N$")
    ax.set(title=f"mean over seeds{count_failures(own)}", ylabel="test accuracy (%)")


def _handles(solver: str) -> list[Line2D]:
    start = Line2D(
        [], [], color="0.5", marker="o", markersize=4, fillstyle="none", linestyle="", label="input"
    )
    end = Line2D([], [], color="0.5", marker="o", markersize=4, linestyle="", label="output")
    training = Line2D(
        [],
        [],
        color="black",
        marker=style_of(solver).marker,
        markersize=6,
        linestyle="",
        label="training setting",
    )
    return [*class_handles(), start, end, training]
