"""Figure 2: the classifier's regions behind the ODE's output, at the training step and its half."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgba
from matplotlib.figure import Figure

from solverproof.files import read_arrays
from solverproof.reporting.figures.style import (
    CLASS_COLORS,
    PAGE,
    key_below,
    label_panels,
    style_of,
)
from solverproof.reporting.specifications import FlowSpec

TINT = 0.25  # opacity of the regions


def figure(spec: FlowSpec, coarse: Path) -> Figure:
    """Output of the model trained with the large step, at that step (a) and at half of it (b).

    Args:
        spec: which models they are.
        coarse: trace of the model.
    """
    trace = read_arrays(coarse)
    half = int(np.flatnonzero(trace["steps"] == 2 * spec.coarse)[0])
    fig = Figure(figsize=(PAGE, 3.6))
    axes = fig.subplots(1, 2, sharex=True, sharey=True)
    for ax, setting in zip(axes, (0, half), strict=True):
        _regions(ax, trace)
        _outputs(ax, trace["ends"][setting], trace["labels"])
        right = (trace["predicted"][setting] == trace["labels"]).mean()
        where = "as in training" if setting == 0 else "half the training step"
        tested = f"{style_of(spec.solver).name}, $N$ = {trace['steps'][setting]} ({where})"
        ax.set(title=f"{tested}: {100 * right:.0f} % right", xlabel="$z_1(T)$")
    axes[0].set_ylabel("$z_2(T)$")
    key_below(fig, 2)
    label_panels(axes)
    return fig


def _regions(ax: Axes, trace: Mapping[str, np.ndarray]) -> None:
    tints = [to_rgba(color, TINT) for color in CLASS_COLORS]
    ax.imshow(
        trace["regions"], extent=tuple(trace["box"]), origin="lower", aspect="auto",
        interpolation="nearest", cmap=ListedColormap(tints, under="none"), vmin=0, vmax=1,
    )  # fmt: skip
    for label, tint in enumerate(tints):
        ax.plot([], [], "s", color=tint, markersize=7, label=f"where the head says class {label}")


def _outputs(ax: Axes, ends: np.ndarray, labels: np.ndarray) -> None:
    for label, color in enumerate(CLASS_COLORS):
        shown = ends[labels == label]
        ax.plot(*shown.T, ".", color=color, markersize=2.5, label=f"output of class {label}")
    if missing := int((~np.isfinite(ends).all(axis=1)).sum()):
        note = f"{missing} of {len(ends)} outputs are not finite"
        ax.text(0.5, 0.5, note, transform=ax.transAxes, ha="center", va="center")
