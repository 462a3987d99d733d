"""Figure 3: Lady Windermere's fan, XOR points that only numerical error separates."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from solverproof.reporting.figures.lady_windermere import (
    COARSE_STEP,
    FAN,
    FINE_STEP,
    XOR_LABELS,
    XOR_POINTS,
    euler_trajectories,
    linearly_separable,
)
from solverproof.reporting.figures.style import (
    CLASS_COLORS,
    FAINT,
    PAGE,
    ink,
    key_below,
    label_panels,
)
from solverproof.reporting.specifications import NoSpec

POINTS = "(0, 0), which stays, and (1, 1)", "(0, 1) and (1, 0)"  # of each class


def figure(_: NoSpec) -> Figure:
    """Trajectories of the XOR points by Euler with a coarse (a) and a fine step (b)."""
    fig = Figure(figsize=(0.75 * PAGE, 4.6))
    axes = fig.subplots(2, 1, sharex=True, sharey=True)
    _fan(axes[0], COARSE_STEP, "$h = 10^{-2.5}$")
    _fan(axes[1], FINE_STEP, "$h = 10^{-3.5}$")
    axes[1].set_xlabel("$z_2$")
    fig.suptitle("Lady Windermere's fan: the error of every step is carried along", fontsize=8)
    key_below(fig, 2)
    label_panels(axes)
    return fig


def _fan(ax: Axes, step_size: float, name: str) -> None:
    """The plane on its side, as wide as it is high in the paper."""
    paths = euler_trajectories(FAN, XOR_POINTS, step_size)[..., ::-1]
    for path, label in zip(paths.transpose(1, 0, 2), XOR_LABELS, strict=True):
        ax.plot(*path.T, color=CLASS_COLORS[label], linewidth=0.35, alpha=0.55)
    ax.plot([], [], color=FAINT, linewidth=0.6, label="the steps of Euler's method")
    for label, color in enumerate(CLASS_COLORS):
        of_class, points = label == XOR_LABELS, POINTS[label]
        ax.plot(*paths[0][of_class].T, "o", color=color, markersize=5, fillstyle="none", zorder=4,
                label=f"XOR, class {label}: {points}")  # fmt: skip
        ax.plot(*paths[-1][of_class].T, "o-", color=color, markersize=5, linewidth=1.6, zorder=5,
                markeredgecolor=ink(), label=f"where class {label} ends, joined")  # fmt: skip
    separable = linearly_separable(paths[-1], XOR_LABELS)
    verdict = "a line divides the classes" if separable else "the joins cross, no line divides them"
    ax.set(title=f"Euler, {name}: {verdict}", ylabel="$z_1$", aspect="equal")
