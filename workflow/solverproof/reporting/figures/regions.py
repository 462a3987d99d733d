"""Figure 2: the classifier's regions behind the ODE's output, at the training step and its half."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from solverproof.files import read_arrays
from solverproof.reporting.figures.style import (
    CLASS_COLORS,
    CLASS_TINTS,
    PAGE,
    class_handles,
    label_panels,
    style_of,
)
from solverproof.reporting.specifications import FlowSpec


def figure(spec: FlowSpec, coarse: Path) -> Figure:
    """Output of the model trained with the large step, at that step (a) and at half of it (b).

    Args:
        spec: which models they are.
        coarse: trace of the model.
    """
    trace, steps = read_arrays(coarse), spec.coarse
    fig = Figure(figsize=(PAGE, 3.4))
    axes = fig.subplots(1, 2, sharex=True, sharey=True)
    for ax, ends, tested in zip(
        axes, (trace["ends"], trace["ends_half"]), (steps, 2 * steps), strict=True
    ):
        ax.imshow(
            trace["regions"], extent=tuple(trace["box"]), origin="lower", aspect="auto",
            interpolation="nearest", cmap=ListedColormap(CLASS_TINTS, under="white"),
            vmin=0, vmax=1,
        )  # fmt: skip
        for label, color in enumerate(CLASS_COLORS):
            ax.plot(*ends[trace["labels"] == label].T, ".", color=color, markersize=2)
        _note_missing(ax, ends)
        where = "training step" if tested == steps else "half the training step"
        ax.set(title=f"{style_of(spec.solver).name}, $N$ = {tested} ({where})", xlabel="$z_1(T)$")
    axes[0].set_ylabel("$z_2(T)$")
    fig.legend(handles=class_handles(), loc="outside lower center", ncols=2)
    label_panels(axes)
    return fig


def _note_missing(ax: Axes, ends: np.ndarray) -> None:
    if missing := int((~np.isfinite(ends).all(axis=1)).sum()):
        note = f"{missing} of {len(ends)} outputs are not finite"
        ax.text(0.5, 0.5, note, transform=ax.transAxes, ha="center", va="center")
