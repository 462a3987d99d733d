"""Figure 1: trajectories of a model trained with a small step and of one trained with a large one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from solverproof.figures.style import (
    CLASS_COLORS,
    PAGE,
    SOLVER_COLORS,
    SOLVER_MARKERS,
    SOLVER_NAMES,
    letter,
    steps_axis,
)
from solverproof.files import read_arrays


def figure(spec: Mapping[str, Any], fine: Path, coarse: Path, evaluations: Path) -> Figure:
    """Trajectories (a, b) and accuracy against test steps with the training solver (c, d).

    Args:
        spec: `task`, `solver`, and `fine` and `coarse`, the numbers of training steps.
        fine: trace of the model with the small step.
        coarse: trace of the model with the large step.
        evaluations: the study's `evaluations.csv`.
    """
    table = pd.read_csv(evaluations)
    own = table[(table["task"] == spec["task"]) & (table["train_solver"] == spec["solver"])]
    own = own[own["test_solver"] == spec["solver"]]
    fig, axes = plt.subplots(2, 2, figsize=(PAGE, 5.4), height_ratios=(3, 2))
    for column, (trace, steps) in enumerate(((fine, spec["fine"]), (coarse, spec["coarse"]))):
        title = f"trained with {SOLVER_NAMES[spec['solver']]}, $N$ = {steps}"
        _trajectories(axes[0, column], read_arrays(trace), title)
        _accuracy(axes[1, column], own[own["train_steps"] == steps], spec["solver"], steps)
    axes[1, 0].sharey(axes[1, 1])
    letter(axes.flat)
    return fig


def _trajectories(ax: Axes, trace: Mapping[str, np.ndarray], title: str) -> None:
    few = len(trace["trajectories"]) < 10
    for path, label in zip(trace["trajectories"].transpose(1, 0, 2), trace["trajectory_labels"], strict=True):
        color = CLASS_COLORS[label]
        ax.plot(*path.T, color=color, linewidth=0.6, marker="." if few else "", markersize=2.5, alpha=0.7)
        ax.plot(*path[0], "o", color=color, markersize=3, fillstyle="none", markeredgewidth=0.6)
        ax.plot(*path[-1], "o", color=color, markersize=3)
    for label, color in enumerate(CLASS_COLORS):
        ax.plot([], [], color=color, marker="o", markersize=3, label=f"class {label}")
    ax.set(title=title, xlabel="$z_1$", ylabel="$z_2$")
    ax.set_aspect("equal", adjustable="datalim")
    ax.legend(frameon=False, loc="upper right")


def _accuracy(ax: Axes, runs: pd.DataFrame, solver: str, train_steps: int) -> None:
    accuracy = 100 * runs.groupby("test_steps")["accuracy"].agg(["mean", "std"])
    marker, color = SOLVER_MARKERS[solver], SOLVER_COLORS[solver]
    ax.errorbar(accuracy.index, accuracy["mean"], yerr=accuracy["std"], color=color, marker=marker, markersize=4)
    at_training = accuracy["mean"][train_steps]
    ax.plot(train_steps, at_training, marker, color="black", markersize=6, zorder=5, label="training setting")
    steps_axis(ax, f"number of {SOLVER_NAMES[solver]} test steps $N$")
    ax.set_ylabel("test accuracy (%)")
    ax.legend(frameon=False, loc="lower left")
