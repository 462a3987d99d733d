"""The style of figures: sizes, colours, markers. A solver looks the same in all of them."""

import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from solverproof.auditing.intervals import mean_interval
from solverproof.evaluation.rows import UNTRAINED
from solverproof.evaluation.scores import has_score, score_of
from solverproof.files import write_atomically

PAGE = 6.8  # width in inches


class SolverStyle(NamedTuple):
    """How a solver looks in every figure."""

    name: str
    color: str
    marker: str


# Okabe, Ito (2008): distinguishable with any common colour blindness.
BLUE, ORANGE, GREEN, PINK, SKY, RED = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
)
STYLES = {
    "euler": SolverStyle("Euler", BLUE, "o"),
    "midpoint": SolverStyle("midpoint", ORANGE, "s"),
    "heun2": SolverStyle("Heun 2", PINK, "P"),
    "heun3": SolverStyle("Heun 3", SKY, "X"),
    "rk4": SolverStyle("RK4", GREEN, "^"),
    "fehlberg2": SolverStyle("Fehlberg 2(1)", BLUE, "o"),
    "adaptive_heun": SolverStyle("Heun 2(1)", PINK, "P"),
    "bosh3": SolverStyle("Bogacki–Shampine 3(2)", ORANGE, "s"),
    "dopri5": SolverStyle("Dopri 5(4)", GREEN, "^"),
    "dopri8": SolverStyle("Dopri 8(7)", RED, "D"),
}
OTHER_COLORS, OTHER_MARKERS = (RED, SKY, PINK, "black"), "vDhX<>p*"
CLASS_COLORS = (RED, BLUE)
CLASS_TINTS = ("#F6D9C6", "#C9DFEE")
SETTINGS_COLORMAP = "viridis_r"


def style_of(solver: str) -> SolverStyle:
    """The style of a solver; for one not in `STYLES` it depends only on the name."""
    chance = zlib.crc32(solver.encode())
    other = SolverStyle(
        solver,
        OTHER_COLORS[chance % len(OTHER_COLORS)],
        OTHER_MARKERS[chance // 7 % len(OTHER_MARKERS)],
    )
    return STYLES.get(solver, other)


@contextmanager
def styled() -> Iterator[None]:
    """A context for drawing without a screen, in the style of this study."""
    mpl.use("Agg")
    with house_style():
        yield


@contextmanager
def house_style() -> Iterator[None]:
    """The style alone: whatever else draws in this process keeps its backend."""
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
    # The date and the version of matplotlib would make the bytes of equal figures differ.
    undated: dict[str, dict[str, Any]] = {
        ".pdf": {"CreationDate": None},
        ".png": {"Software": None},
    }
    for path in out:
        drawn = BytesIO()
        figure.savefig(drawn, format=path.suffix[1:], metadata=undated[path.suffix])
        write_atomically(path, drawn.getvalue())


def label_panels(axes: Iterable[Axes]) -> None:
    """Put (a), (b), (c), … before the titles of the panels, in the reader's order."""
    for i, ax in enumerate(axes):
        title = ax.get_title()
        # A centred title would stay beside the one on the left.
        ax.set_title("")
        ax.set_title(f"({chr(ord('a') + i)}) {title}", loc="left")


class Scale(NamedTuple):
    """How a score is drawn: its axis, and its limits if it has any."""

    label: str
    low: float
    high: float


SCALES = {
    "accuracy": Scale("test accuracy (%)", 0, 100),
    "error": Scale("test error (in deviations of the targets)", 0, math.inf),
}


def with_score(table: pd.DataFrame) -> pd.DataFrame:
    """A table of one task with the column `score`: accuracy in percent, or error."""
    shown = 100 * table["accuracy"] if score_of(table) == "accuracy" else table["error"]
    return table.assign(score=shown)


def read_evaluations(evaluations: Path, drops: Path) -> pd.DataFrame:
    """`evaluations.csv` with a column that marks the runs of `drops.csv` that did not train."""
    table, of_runs = pd.read_csv(evaluations), pd.read_csv(drops)
    run = ["task", "train_solver", "train_steps", "train_tolerance", "controller", "seed"]
    untrained = of_runs.loc[of_runs["status"] == UNTRAINED, run].astype(object)
    found = table[run].astype(object).merge(untrained, how="left", on=run, indicator=True)
    return table.assign(untrained=(found["_merge"] == "both").to_numpy())


def errorbars(ax: Axes, runs: pd.DataFrame, place: str, **style: Any) -> None:
    """Mean score at each place, with Student's intervals at 95 % over seeds."""
    by_place = runs.pivot_table("score", index="seed", columns=place)
    means, (low, high) = by_place.mean(), mean_interval(by_place)
    scale = SCALES[score_of(runs)]
    # Student's interval does not know that accuracies lie between 0 and 100 %.
    reach = [means - low.clip(lower=scale.low), high.clip(upper=scale.high) - means]
    ends = to_rgba(style["color"], 0.5)  # paler, for the means are what lines connect
    ax.errorbar(means.index, means, yerr=reach, elinewidth=0.5, ecolor=ends, **style)


def count_failures(runs: pd.DataFrame) -> str:
    """How many runs failed or did not train, to append to a title; nothing when all trained."""
    counts = {"failed": (~has_score(runs)).sum(), "untrained": runs["untrained"].sum()}
    told = " and ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    return f", {told} of {len(runs)}" if told else ""


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
