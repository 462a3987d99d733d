"""Figure 7: with the solver it was trained with, and as an ODE; the critical step between."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from solverproof.auditing.intervals import mean_interval
from solverproof.evaluation.rows import UNTRAINED
from solverproof.evaluation.scores import GUESS_ERROR, score_of
from solverproof.reporting.figures.style import (
    PAGE,
    SCALES,
    count_failures,
    label_panels,
    steps_axis,
    style_of,
)
from solverproof.reporting.in_words import bracket_text, critical_text
from solverproof.reporting.specifications import AccuracySpec

OWN = "0.25"  # the colour of what a model reaches with its own solver
PUBLISHED = {("sphere2", "euler"): (64, 128), ("cifar10", "euler"): (16, 32)}  # critical brackets
ROOM = 1.3  # factor from the outermost settings to the edge of a panel


def figure(spec: AccuracySpec, drops: Path, critical: Path) -> Figure:
    """One panel per training solver of a task, against the number of training steps.

    Dark is the accuracy with the solver and step that a model was trained with, coloured that of
    its flow: means over the seeds that trained, bands their intervals at 95 %. The grey stripe is
    the critical bracket, the hatched one above it the paper's.

    Args:
        spec: the task and its training solvers of equal steps.
        drops: the study's `drops.csv`.
        critical: its `critical_steps.csv`.
    """
    runs, found = pd.read_csv(drops), pd.read_csv(critical)
    runs = runs[(runs["task"] == spec.task) & runs["controller"].isna()]
    found = found[(found["task"] == spec.task) & (found["measure"] == "drop")]
    width = PAGE if len(spec.solvers) > 1 else 0.55 * PAGE
    fig = Figure(figsize=(width, 2.6))
    axes = fig.subplots(1, len(spec.solvers), sharey=True, squeeze=False)
    for ax, solver in zip(axes[0], spec.solvers, strict=True):
        own = runs[runs["train_solver"] == solver]
        _panel(ax, own.assign(untrained=own["status"] == UNTRAINED), solver)
        _brackets(ax, found[found["train_solver"] == solver], PUBLISHED.get((spec.task, solver)))
    _guess(axes[0][0], axes[0], spec.chance)
    axes[0][0].set_ylabel(SCALES[score_of(runs)].label)
    if len(spec.solvers) > 1:
        label_panels(axes[0])
    return fig


def _panel(ax: Axes, runs: pd.DataFrame, solver: str) -> None:
    style, score = style_of(solver), score_of(runs)
    trained = runs[~runs["untrained"]]
    steps_axis(ax, "number of training steps $N$")
    settings = sorted(runs["train_steps"].unique())
    ax.set_xlim(settings[0] / ROOM, settings[-1] * ROOM)
    upwards = score == "accuracy"  # is better
    own = _line(ax, trained, score, OWN, "o")
    if len(own):
        name = "with the solver\nit was trained with"
        _name(ax, own, own.index[0], name, OWN, above=upwards)
    flow = _line(ax, trained, f"{score}_reference", style.color, style.marker)
    if len(flow):
        worst: Any = flow.idxmin() if upwards else flow.idxmax()
        _name(ax, flow, worst, "as an ODE", style.color, above=not upwards)
    ax.set_title(f"trained with {style.name}{count_failures(runs)}")


def _line(ax: Axes, runs: pd.DataFrame, column: str, color: str, marker: str) -> pd.Series:
    """Means over seeds with their intervals; the means, by steps."""
    scale = SCALES["accuracy" if column.startswith("accuracy") else "error"]
    factor = 100 if scale is SCALES["accuracy"] else 1
    by_steps = factor * runs.pivot_table(column, index="seed", columns="train_steps")
    means, (low, high) = by_steps.mean(), mean_interval(by_steps)
    # Student's interval does not know that accuracies lie between 0 and 100 %.
    ends = low.clip(lower=scale.low), high.clip(upper=scale.high)
    ax.fill_between(means.index, *ends, color=color, alpha=0.18, linewidth=0)
    ax.plot(means.index, means, marker=marker, color=color, markersize=3.5, linewidth=1.4)
    return means


def _name(ax: Axes, means: pd.Series, at: float, name: str, color: str, *, above: bool) -> None:
    """What a line is, beside it at one of its settings."""
    first = at == means.index[0]
    ax.annotate(
        name, (at, means[at]), (-3 if first else 0, 6 if above else -6), color=color, fontsize=7,
        textcoords="offset points", va="bottom" if above else "top",
        ha="left" if first else "center",
        path_effects=[withStroke(linewidth=2, foreground="white")],
    )  # fmt: skip


def _brackets(ax: Axes, found: pd.DataFrame, published: tuple[int, int] | None) -> None:
    """The critical bracket and its estimate, and the published bracket above."""
    for _, row in found.iterrows():
        if row[["invalid_steps", "valid_steps"]].notna().all():
            ends = row["invalid_steps"], row["valid_steps"]
            ax.axvspan(*ends, color="0.88", linewidth=0, zorder=0)
        at: dict[str, Any]
        if pd.notna(row["critical_steps"]):
            place, told = row["critical_steps"], f"critical $N$\n{critical_text(row)}"
            at = {"xy": (place, 0.03), "xycoords": ("data", "axes fraction"), "ha": "center"}
        else:
            told = bracket_text(row)
            at = {"xy": (0.98, 0.03), "xycoords": "axes fraction", "ha": "right"}
        ax.annotate(told, fontsize=7, **at)
    if published:
        ax.axvspan(*published, 0.955, 1, facecolor="white", edgecolor="0.4", hatch="/////")
        ax.annotate(
            "paper", (published[0], 0.977), (-3, 0), xycoords=("data", "axes fraction"),
            textcoords="offset points", ha="right", va="center", fontsize=7, color="0.3",
        )  # fmt: skip


def _guess(first: Axes, axes: list[Axes], chance: float | None) -> None:
    """A line at the score of a guess, and limits with room around it and for what is written."""
    guess = GUESS_ERROR if chance is None else 100 * chance
    if chance is None:
        first.set_yscale("log")
    else:
        first.set_ylim(max(-14, guess - 22), 116)
        first.set_yticks([tick for tick in range(0, 101, 20) if tick >= guess - 22])
    for ax in axes:
        ax.axhline(guess, color="0.6", linewidth=0.8, linestyle=":", zorder=0)
        end = ax.get_xlim()[1]
        ax.annotate("a guess", (end, guess), (-2, 2), textcoords="offset points", ha="right",
                    fontsize=7, color="0.5")  # fmt: skip
