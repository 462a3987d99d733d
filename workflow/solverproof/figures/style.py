"""How figures look: sizes, colours, markers. Every solver and every class looks the same in every figure."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from solverproof.files import write_atomically

PAGE = 6.8  # width in inches
# Okabe, Ito (2008): told apart with any common colour blindness
SOLVER_COLORS = {
    "euler": "#0072B2",
    "midpoint": "#E69F00",
    "heun2": "#CC79A7",
    "heun3": "#56B4E9",
    "rk4": "#009E73",
    "fehlberg2": "#0072B2",
    "adaptive_heun": "#CC79A7",
    "bosh3": "#E69F00",
    "dopri5": "#009E73",
    "dopri8": "#D55E00",
}
SOLVER_MARKERS = {
    "euler": "o",
    "midpoint": "s",
    "heun2": "P",
    "heun3": "X",
    "rk4": "^",
    "fehlberg2": "o",
    "adaptive_heun": "P",
    "bosh3": "s",
    "dopri5": "^",
    "dopri8": "D",
}
SOLVER_NAMES = {
    "euler": "Euler",
    "midpoint": "midpoint",
    "heun2": "Heun 2",
    "heun3": "Heun 3",
    "rk4": "RK4",
    "fehlberg2": "Fehlberg 2(1)",
    "adaptive_heun": "Heun 2(1)",
    "bosh3": "Bogacki–Shampine 3(2)",
    "dopri5": "Dopri 5(4)",
    "dopri8": "Dopri 8(7)",
}
CLASS_COLORS = ("#D55E00", "#0072B2")
CLASS_TINTS = ("#F6D9C6", "#C9DFEE")
SETTINGS_COLORMAP = "viridis_r"


@contextmanager
def styled() -> Iterator[None]:
    """Draw without a screen, in the house style."""
    mpl.use("Agg")
    house: dict[Any, Any] = {
        "font.size": 8,
        "axes.titlesize": 8,
        "axes.labelsize": 8,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7,
        "legend.fontsize": 7,
        "legend.title_fontsize": 7,
        "legend.frameon": False,
        "lines.linewidth": 1,
        "figure.constrained_layout.use": True,
        "pdf.fonttype": 42,
        "savefig.dpi": 300,
    }
    with sns.axes_style("ticks"), mpl.rc_context(house):
        yield


def save(figure: Figure, out: Sequence[Path]) -> None:
    """Save a figure to each file atomically; the same figure gives the same bytes."""
    undated: dict[str, dict[str, Any]] = {".pdf": {"CreationDate": None}, ".png": {"Software": None}}
    for path in out:
        write_atomically(path, partial(figure.savefig, metadata=undated[path.suffix]))
    plt.close(figure)


def letter(axes: Iterable[Axes]) -> None:
    """Put (a), (b), (c), … before the titles of the panels, in the reader's order."""
    for i, ax in enumerate(axes):
        title = ax.get_title()
        ax.set_title("")
        ax.set_title(f"({chr(ord('a') + i)}) {title}", loc="left")


def class_handles() -> list[Line2D]:
    """One legend entry per class."""
    return [
        Line2D([], [], color=color, marker="o", markersize=4, linestyle="", label=f"class {label}")
        for label, color in enumerate(CLASS_COLORS)
    ]


def steps_axis(ax: Axes, label: str) -> None:
    """A logarithmic axis of numbers of steps, with the numbers written out."""
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    ax.set_xlabel(label)


def tolerance_axis(ax: Axes, label: str) -> None:
    """A logarithmic axis of tolerances, coarse to fine from left to right, as steps are."""
    ax.set_xscale("log")
    ax.invert_xaxis()
    ax.set_xlabel(label)
