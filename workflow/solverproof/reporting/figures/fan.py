"""Figure 3: Lady Windermere's fan, XOR points separated by numerical error, and the data set."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from solverproof.datasets.spheres import spheres
from solverproof.reporting.figures.lady_windermere import (
    COARSE_STEP,
    FAN,
    FINE_STEP,
    XOR_LABELS,
    XOR_POINTS,
    euler_trajectories,
    linearly_separable,
)
from solverproof.reporting.figures.style import CLASS_COLORS, PAGE, class_handles, label_panels
from solverproof.reporting.specifications import NoSpec

SHOWN = 600  # points of the data set; more would hide each other


def figure(_: NoSpec) -> Figure:
    """End points by Euler with a coarse (a) and a fine step (b), and concentric spheres (c)."""
    fig = Figure(figsize=(PAGE, 2.7))
    axes = fig.subplots(1, 3)
    _fan(axes[0], COARSE_STEP, "$h = 10^{-2.5}$")
    _fan(axes[1], FINE_STEP, "$h = 10^{-3.5}$")
    _data(axes[2])
    fig.legend(handles=class_handles(), loc="outside lower center", ncols=2)
    label_panels(axes)
    return fig


def _fan(ax: Axes, step_size: float, name: str) -> None:
    paths = euler_trajectories(FAN, XOR_POINTS, step_size)
    for path, label in zip(paths.transpose(1, 0, 2), XOR_LABELS, strict=True):
        ax.plot(*path.T, color=CLASS_COLORS[label], linewidth=0.35, alpha=0.55)
        ax.plot(*path[0], "o", color=CLASS_COLORS[label], markersize=4, fillstyle="none", zorder=4)
    for label, color in enumerate(CLASS_COLORS):
        ends = paths[-1][label == XOR_LABELS]
        ax.plot(
            *ends.T,
            "o-",
            color=color,
            markersize=4,
            linewidth=1.6,
            markeredgecolor="black",
            zorder=5,
        )
    verdict = "separable" if linearly_separable(paths[-1], XOR_LABELS) else "not separable"
    ax.set(title=f"{name}: {verdict}", xlabel="$z_1$", ylabel="$z_2$")


def _data(ax: Axes) -> None:
    data = spheres(dimension=2, train=SHOWN, test=4, seed=0)
    points, labels = data["train_x"][:, 0], data["train_y"]
    for label, color in enumerate(CLASS_COLORS):
        ax.plot(*points[np.flatnonzero(labels == label)].T, ".", color=color, markersize=2)
    ax.set(title="concentric spheres", xlabel="$z_1$", ylabel="$z_2$")
    ax.set_aspect("equal", adjustable="datalim")
