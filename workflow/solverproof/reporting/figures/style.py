"""The style of figures: sizes, colours, markers. A solver looks the same in all of them."""

import math
import textwrap
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.transforms import ScaledTranslation

from solverproof.auditing.intervals import mean_interval
from solverproof.errors import InputError
from solverproof.evaluation.rows import UNTRAINED
from solverproof.evaluation.scores import GUESS_ERROR, has_score, score_of
from solverproof.files import write_atomically
from solverproof.reporting.reading import read_csv

PAGE = 6.8  # width in inches
KEY_BELOW = 0.45  # inches from an axis, with ticks and a label, to its key


class SolverStyle(NamedTuple):
    """How a solver looks in every figure."""

    name: str
    color: str
    marker: str


# Okabe, Ito (2008), then Tol's muted scheme: distinguishable with any common colour blindness.
BLUE, ORANGE, GREEN, PINK, SKY, RED = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
)
OLIVE, TEAL, ROSE, PURPLE, GREY, LILAC = (
    "#999933",
    "#44AA99",
    "#CC6677",
    "#AA4499",
    "#777777",
    "#8C6BB1",
)
STYLES = {
    "euler": SolverStyle("Euler", BLUE, "o"),
    "midpoint": SolverStyle("midpoint", ORANGE, "s"),
    "heun2": SolverStyle("Heun 2", SKY, "P"),
    "heun3": SolverStyle("Heun 3", PURPLE, "X"),
    "rk4": SolverStyle("RK4", GREEN, "^"),
    "fehlberg2": SolverStyle("Fehlberg 2(1)", PINK, "D"),
    "adaptive_heun": SolverStyle("Heun 2(1)", OLIVE, "p"),
    "bosh3": SolverStyle("Bogacki–Shampine 3(2)", GREY, "h"),
    "dopri5": SolverStyle("Dopri 5(4)", RED, "v"),
    "dopri8": SolverStyle("Dopri 8(7)", TEAL, "d"),
}
OTHER_COLORS, OTHER_MARKERS = (ROSE, LILAC), "<>8"
CLASS_COLORS = ("#B8860B", "#542788")  # of no solver
DARK = "0.15"  # all that is written, and axes
FAINT = "0.48"  # of what is written beside the data; readable on white and on black
APART = 0.22  # of two solvers in a row of height 1
BEYOND = 1.6  # factor from the outermost settings to the edge of a panel of critical steps
SHADE: dict[str, Any] = {"color": "0.5", "alpha": 0.18, "linewidth": 0, "zorder": 0}
SHADED = to_rgba(SHADE["color"], SHADE["alpha"])  # of a face whose edge is another


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
        **dict.fromkeys(("figure.facecolor", "axes.facecolor", "patch.edgecolor"), "white"),
        **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor"), DARK),
        **dict.fromkeys(("xtick.color", "ytick.color"), DARK),
        "axes.axisbelow": True,
        "patch.force_edgecolor": True,
        "lines.solid_capstyle": "round",
        "font.sans-serif": ["Arial", "DejaVu Sans"],
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
    with mpl.rc_context(house):
        yield


def save(drawn: Figure, out: Sequence[Path]) -> None:
    """Save a figure to each file atomically; the same gives the same bytes.

    Raises:
        InputError: if it is to be of another format, or a file cannot be written.
    """
    # The date and the version of matplotlib would make the bytes of equal figures differ.
    undated: dict[str, dict[str, Any]] = {
        ".pdf": {"CreationDate": None},
        ".png": {"Software": None},
    }
    for path in out:
        if path.suffix not in undated:
            raise InputError(f"{path}: figures are .pdf or .png; write one of these")
        content = BytesIO()
        drawn.savefig(content, format=path.suffix[1:], metadata=undated[path.suffix])
        write_atomically(path, content.getvalue())


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
    table, of_runs = read_csv(evaluations), read_csv(drops)
    run = ["task", "train_solver", "train_steps", "train_tolerance", "controller", "seed"]
    untrained = of_runs.loc[of_runs["status"] == UNTRAINED, run].astype(object)
    found = table[run].astype(object).merge(untrained, how="left", on=run, indicator=True)
    return table.assign(untrained=(found["_merge"] == "both").to_numpy())


def mean_line(ax: Axes, runs: pd.DataFrame, place: str, column: str, **style: Any) -> pd.Series:
    """Draw the mean over seeds at each place with a band, Student's interval at 95 %.

    Args:
        ax: where.
        runs: one row per seed and place.
        place: the column of places.
        column: the column that is averaged; if it is a score in percent, bands end at 0 and 100.
        style: of the line.

    Returns:
        The means, by place.
    """
    by_place = runs.pivot_table(column, index="seed", columns=place)
    if by_place.empty:
        return pd.Series(dtype=float)
    means, (low, high) = by_place.mean(), mean_interval(by_place)
    scale = SCALES[score_of(runs)]
    # Student's interval does not know that accuracies lie between 0 and 100 %.
    ends = low.clip(lower=scale.low), high.clip(upper=scale.high)
    band = {**SHADE, "color": style["color"], "zorder": 1}
    ax.fill_between(means.index, *ends, label="95 % interval over seeds", **band)
    ax.plot(means.index, means, **{"markersize": 3, "clip_on": False, **style})
    return means


def mark_training(ax: Axes, x: Any, y: Any) -> None:
    """Draw the ring that stands for the setting of training in all figures."""
    ax.plot(
        x, y, "o", color=ink(), markersize=8, markeredgewidth=1.2, fillstyle="none",
        clip_on=False, zorder=6, label="trained here",
    )  # fmt: skip


def ink() -> str:
    """The colour of text, on white or on black."""
    return str(mpl.rcParams["text.color"])


def score_axis(ax: Axes, scores: Iterable[float], chance: float | None) -> None:
    """Limits of an axis of scores, which hold a guess and half of 100 %; errors are logarithmic."""
    if chance is None:
        ax.set_yscale("log")  # errors of models that collapse are not bounded
        ax.set_ylabel(SCALES["error"].label)
        return
    shown = [100 * chance, *(score for score in scores if math.isfinite(score))]
    low = 10 * math.floor(max(0, min(shown) - 5) / 10)
    high = 10 * math.ceil(min(100, max(*shown, low + 50)) / 10)
    ax.set_ylim(min(low, high - 50), high)
    ax.set_ylabel(SCALES["accuracy"].label)


def guess_line(axes: Sequence[Axes], chance: float | None) -> None:
    """A line at the score of a guess through all panels, named on the right of the last."""
    guess = GUESS_ERROR if chance is None else 100 * chance
    for ax in axes:
        ax.axhline(guess, color=FAINT, linewidth=0.8, linestyle=":", zorder=0)
    axes[-1].annotate(
        "guess", (1, guess), (2, 0), xycoords=("axes fraction", "data"), va="center",
        textcoords="offset points", fontsize=6.5, color=FAINT,
    )  # fmt: skip


def critical_axis(ax: Axes, settings: pd.Series) -> None:
    """The axis of critical numbers of steps, with room for arrows beyond the settings' own."""
    steps_axis(ax, "critical number of training steps $N$")
    ax.set_xlim(settings.min() / BEYOND, settings.max() * BEYOND)


def aside(solver: str, solvers: Sequence[str]) -> float:
    """How far from the middle of a row of height 1 the line of one of its solvers stands."""
    return APART * (solvers.index(solver) - (len(solvers) - 1) / 2)


def draw_critical(
    ax: Axes, row: pd.Series, place: float, settings: Sequence[float], style: SolverStyle
) -> None:
    """A critical number of steps and its interval; an arrow at an end beyond the settings.

    Args:
        ax: the panel, whose limits are set.
        row: of a table with columns critical_steps, critical_steps_low and critical_steps_high.
        place: the height.
        settings: numbers of steps that were run, in order.
        style: of the training solver.
    """
    first, last = ax.get_xlim()
    # Both may lie beyond the same end; the line then leads there from the outermost setting.
    low = min(row["critical_steps_low"], settings[-1])
    high = max(row["critical_steps_high"], settings[0])
    ends = [low if low > 0 else first, high if math.isfinite(high) else last]
    ax.plot(ends, [place, place], color=style.color, linewidth=1.2, label="95 % interval")
    for end, arrow in zip(ends, "<>", strict=True):
        if end in (first, last):
            ax.plot(end, place, arrow, color=style.color, markersize=5, clip_on=False, zorder=4,
                    label="beyond the settings")  # fmt: skip
    ax.plot(settings, [place] * len(settings), "|", color=style.color, markersize=4, alpha=0.5,
            label="settings that were run")  # fmt: skip
    ax.plot(row["critical_steps"], place, style.marker, color=style.color, markersize=5, zorder=5,
            label=style.name)  # fmt: skip


def failures(runs: pd.DataFrame) -> str:
    """How many runs failed or did not train; empty when all trained."""
    counts = {"failed": (~has_score(runs)).sum(), "untrained": runs["untrained"].sum()}
    told = " and ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    return told and f"{told} of {len(runs)}"


def key_below(figure: Figure, columns: int, title: str | None = None) -> None:
    """A legend of all that has a label in any panel; its title stands below the axes."""
    figure.legend(
        **_labelled(figure.axes), loc="outside lower center", ncols=columns, title=title,
        title_fontsize=8,
    )  # fmt: skip


def key_of(ax: Axes, figure: Figure, letters: int | None = None) -> None:
    """A legend of what has a label in a panel, if anything has, below its axis.

    Args:
        ax: the panel.
        figure: its figure.
        letters: after how many a label goes on in another line; None for never.
    """
    if not ax.get_legend_handles_labels()[1]:
        return
    key = _labelled([ax])
    if letters is not None:
        key["labels"] = [textwrap.fill(label, letters) for label in key["labels"]]
    below = ScaledTranslation(0, -KEY_BELOW, figure.dpi_scale_trans)
    ax.legend(
        **key, loc="upper left", bbox_to_anchor=(0, 0), borderaxespad=0,
        bbox_transform=ax.transAxes + below,
    )  # fmt: skip


def _labelled(axes: Iterable[Axes]) -> dict[str, list[Any]]:
    """What has a label, each label once."""
    named: dict[str, Artist] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            named.setdefault(label, handle)
    return {"handles": [*named.values()], "labels": [*named]}


def name_beside(
    ax: Axes, text: str, place: tuple[Any, Any], offset: tuple[float, float], **style: Any
) -> None:
    """Write beside a line, on a halo, what it is: `offset` in points from a place in the data."""
    ax.annotate(
        text, place, offset, textcoords="offset points", fontsize=7, zorder=7,
        path_effects=[withStroke(linewidth=2, foreground=mpl.rcParams["axes.facecolor"])], **style,
    )  # fmt: skip


def name_lines(ax: Axes, lines: Mapping[str, Line2D]) -> None:
    """A key inside a panel, in the colours of its lines, where it hides least of them."""
    ax.legend([*lines.values()], [*lines], loc="best", labelcolor="linecolor", handlelength=1.6)


def steps_axis(ax: Axes, label: str) -> None:
    """A logarithmic axis of numbers of steps, with the numbers written out."""
    ax.set_xscale("log", base=2)
    whole = mpl.ticker.FuncFormatter(lambda value, _: f"{value:g}" if value >= 1 else "")
    ax.xaxis.set_major_formatter(whole)
    ax.set_xlabel(label)
