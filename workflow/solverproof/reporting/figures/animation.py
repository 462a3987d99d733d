"""The animation: what becomes of a coarse and of a fine model while the test step shrinks."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from solverproof.files import read_arrays
from solverproof.reporting.figures.film import Film
from solverproof.reporting.figures.style import (
    guess_line,
    ink,
    key_below,
    mark_training,
    name_beside,
    score_axis,
    style_of,
)
from solverproof.reporting.figures.trajectories import Frame, draw_paths, frame_of, look_at
from solverproof.reporting.specifications import FlowSpec

SIZE = (7.2, 5.2)  # inches
DPI = 140
FIRST, NEXT, LAST = 2.0, 0.6, 3.0  # seconds that frames are shown


def figure(spec: FlowSpec, fine: Path, coarse: Path) -> Film:
    """One frame per number of test steps, as many times that of training for both models.

    Above are trajectories of both models, below the accuracy so far on all of the test set.

    Args:
        spec: which models they are.
        fine: trace of the model with the small step.
        coarse: trace of the model with the large step.
    """
    traces = [read_arrays(path) for path in (coarse, fine)]
    count = len(traces[0]["steps"])
    paths = [trace[f"trajectories_{i}"] for trace in traces for i in range(count)]
    frame = frame_of(traces[0]["starts"], *paths)
    frames = [_frame(spec, traces, setting, frame) for setting in range(count)]
    return Film(frames, [FIRST, *[NEXT] * (count - 2), LAST])


def _frame(
    spec: FlowSpec,
    traces: Sequence[Mapping[str, np.ndarray]],
    setting: int,
    frame: Frame,
) -> Figure:
    fig = Figure(figsize=SIZE, dpi=DPI)
    axes = fig.subplot_mosaic("ab;cc", height_ratios=(3, 1.1))
    solver = style_of(spec.solver).name
    for ax, trace in zip((axes["a"], axes["b"]), traces, strict=True):
        draw_paths(ax, trace, setting)
        look_at(ax, frame, trace[f"trajectories_{setting}"])
        first, now = trace["steps"][[0, setting]]
        right = f"{_accuracies(trace)[setting]:.1f} % right"
        ax.set_title(
            f"trained with {first} {solver} steps\ntested with {now}: {right}", fontsize=10
        )
    _courses(axes["c"], spec, traces, setting)
    key_below(fig, 3)
    return fig


def _accuracies(trace: Mapping[str, np.ndarray]) -> np.ndarray:
    """In percent, by setting."""
    return np.asarray(100 * (trace["predicted"] == trace["labels"]).mean(axis=1))


def _courses(
    ax: Axes, spec: FlowSpec, traces: Sequence[Mapping[str, np.ndarray]], setting: int
) -> None:
    """Accuracy against how many times finer the test is, up to a setting."""
    style = style_of(spec.solver)
    for trace in traces:
        steps, found = trace["steps"], _accuracies(trace)
        finer = steps / steps[0]
        until = slice(setting + 1)
        ax.plot(finer[until], found[until], color=style.color, marker=style.marker, markersize=3)
        mark_training(ax, 1, found[0])
        place = (finer[setting], found[setting])
        if setting:  # before, both lines are at one place
            name_beside(ax, f"$N$ = {steps[0]}", place, (5, -4), va="top", color=ink())
    score_axis(ax, np.concatenate([_accuracies(trace) for trace in traces]), spec.chance)
    guess_line([ax], spec.chance)
    ax.set(xlim=(0.8, finer[-1] + 0.8), xlabel="test steps / training steps")
