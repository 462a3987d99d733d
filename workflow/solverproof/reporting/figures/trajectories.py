"""Figure 1: trajectories of a model trained with a small step and of one with a large step."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from solverproof.files import read_arrays
from solverproof.reporting.figures.style import (
    CLASS_COLORS,
    FAINT,
    PAGE,
    failures,
    guess_line,
    ink,
    key_below,
    label_panels,
    mark_training,
    mean_line,
    name_lines,
    read_evaluations,
    score_axis,
    steps_axis,
    style_of,
    with_score,
)
from solverproof.reporting.reading import rows_of
from solverproof.reporting.specifications import FlowSpec

LINEAR = 3.0  # decades of the logarithmic part that are as wide as half of the linear part
FARTHEST = 1e4  # times the inputs, that are shown


def figure(spec: FlowSpec, fine: Path, coarse: Path, evaluations: Path, drops: Path) -> Figure:
    """The task (a), trajectories of both models (b, c), their accuracy against test steps (d).

    Args:
        spec: which models they are.
        fine: trace of the model with the small step.
        coarse: trace of the model with the large step.
        evaluations: the study's `evaluations.csv`.
        drops: its `drops.csv`.
    """
    traces = [read_arrays(path) for path in (coarse, fine)]
    solver = style_of(spec.solver).name
    fig = Figure(figsize=(PAGE, 6.2))
    axes = fig.subplots(2, 2)
    data, *planes, tests = axes.flat
    scatter(data, traces[0]["starts"], traces[0]["labels"])
    data.set_title(f"the task: {spec.task}")
    frame = frame_of(traces[0]["starts"], *[trace["trajectories_0"] for trace in traces])
    for ax, trace in zip(planes, traces, strict=True):
        draw_paths(ax, trace, 0)
        look_at(ax, frame, trace["trajectories_0"])
        ax.set_title(f"trained with {solver}, $N$ = {trace['steps'][0]}")
    table = rows_of(spec.task, read_evaluations(evaluations, drops), evaluations)
    own = table[(table[["train_solver", "test_solver"]] == spec.solver).all(axis=1)]
    own = with_score(own[own["controller"].isna()])
    _accuracy(tests, own, spec)
    key_below(fig, 3)
    label_panels(axes.flat)
    return fig


def scatter(ax: Axes, points: np.ndarray, labels: np.ndarray) -> None:
    """Points of each class, shape (points, 2)."""
    for label, color in enumerate(CLASS_COLORS):
        ax.plot(*points[labels == label].T, ".", color=color, markersize=2.5)
    ax.set(aspect="equal", xlabel="$z_1$", ylabel="$z_2$")


def draw_paths(ax: Axes, trace: Mapping[str, np.ndarray], setting: int) -> None:
    """The trajectories of a trace at one of its settings; crosses are of a wrong class."""
    paths, shown = trace[f"trajectories_{setting}"], trace["shown"]
    labels = trace["labels"][shown]
    few = len(paths) < 10  # so that each step can be seen
    ax.plot([], [], color=FAINT, linewidth=0.6, label="trajectory")
    for path, label in zip(paths.transpose(1, 0, 2), labels, strict=True):
        ax.plot(
            *path.T, color=CLASS_COLORS[label], linewidth=0.6, alpha=0.7,
            marker="." if few else "", markersize=2.5, markevery=slice(1, -1),
        )  # fmt: skip
    for label, color in enumerate(CLASS_COLORS):
        starts, ends = paths[0][labels == label], paths[-1][labels == label]
        ax.plot(*starts.T, "o", color=color, markersize=3, fillstyle="none", markeredgewidth=0.6,
                label=f"input of class {label}")  # fmt: skip
        ax.plot(*ends.T, "o", color=color, markersize=3.5, label=f"output of class {label}")
    wrong = paths[-1][trace["predicted"][setting][shown] != labels]
    ax.plot(*wrong.T, "x", color=ink(), markersize=6, label="predicted wrong", zorder=5)
    ax.set(aspect="equal", xlabel="$z_1$, logarithmic beyond inputs", ylabel="$z_2$, likewise")


class Frame(NamedTuple):
    """A square around the origin, linear where the inputs are and logarithmic beyond."""

    linear: float
    end: float


def frame_of(starts: np.ndarray, *paths: np.ndarray) -> Frame:
    """The frame of inputs and trajectories.

    A model may move some points a thousand times as far as others; beyond ten thousand times the
    inputs they are left out.
    """
    linear = float(np.abs(starts[np.isfinite(starts)]).max(initial=0)) or 1.0
    sizes = np.abs(np.concatenate([part.ravel() for part in paths])).astype(float)
    end = sizes[np.isfinite(sizes)].max(initial=linear)
    return Frame(linear, 1.5 * min(end, FARTHEST * linear))


def look_at(ax: Axes, frame: Frame, paths: np.ndarray) -> None:
    """Set scales and limits, and tell how many trajectories leave them."""
    decades = [10.0**power for power in range(0, 9, 2) if frame.linear < 10**power < frame.end]
    ticks = [*(-decade for decade in reversed(decades)), 0, *decades]
    scale = {"linthresh": frame.linear, "linscale": LINEAR}
    ax.set_xscale("symlog", **scale)
    ax.set_yscale("symlog", **scale)
    ax.set(xlim=(-frame.end, frame.end), ylim=(-frame.end, frame.end))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.set_ticks([], minor=True)
    if outside := int((~(np.abs(paths) <= frame.end).all(axis=(0, 2))).sum()):
        told = f"{outside} of {paths.shape[1]} leave the frame"
        ax.text(0.5, 0.02, told, transform=ax.transAxes, ha="center", fontsize=7, color=FAINT)


def _accuracy(ax: Axes, runs: pd.DataFrame, spec: FlowSpec) -> None:
    """The score against test steps of both models; where no seed trained the title says so."""
    style, named, missing = style_of(spec.solver), {}, []
    for steps, dashes in ((spec.coarse, "-"), (spec.fine, "--")):
        shown = runs[runs["train_steps"] == steps]
        means = mean_line(
            ax, shown[~shown["untrained"]], "test_steps", "score", color=style.color,
            marker=style.marker, linestyle=dashes,
        )  # fmt: skip
        told = failures(shown[shown["test_steps"] == steps])
        if steps in means:
            named[f"trained with $N$ = {steps}\n{told}".strip()] = ax.lines[-1]
            mark_training(ax, steps, means[steps])
        elif told:
            missing.append(f"$N$ = {steps}: {told}")
    steps_axis(ax, f"number of {style.name} test steps $N$")
    score_axis(ax, runs["score"], spec.chance)
    guess_line([ax], spec.chance)
    ax.set_title("\n".join(["tested with other steps", *missing]))
    name_lines(ax, named)
