"""Figure 8: what each way to choose a step costs in training, and whether its models are ODEs."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from solverproof.auditing.intervals import mean_interval
from solverproof.evaluation.scores import score_of
from solverproof.evaluation.validity import has_trained
from solverproof.reporting.figures.style import (
    FAINT,
    PAGE,
    SCALES,
    guess_line,
    key_below,
    label_panels,
    name_beside,
    score_axis,
    steps_axis,
    style_of,
)
from solverproof.reporting.reading import read_csv, rows_of
from solverproof.reporting.specifications import CostSpec

SET_BY_HAND = FIXED, TOLERANCES = "fixed step", "tolerances"
# of the lines and points of a way; others have a line and full points
LOOKS: dict[str, dict[str, Any]] = {
    "paper's rule": {"linestyle": "--", "fillstyle": "none"},
    "random steps": {"linestyle": ":", "fillstyle": "left"},
}
SMALL, LARGE = 2.5, 5.5  # points that markers are wide
ENDS = ("_low", "_high")
MEANS = ("nfe", "unlike", "score")
COLUMNS = ["solver", "way", "deployed", *(f"{name}{end}" for name in MEANS for end in ("", *ENDS))]
LINE = 0.07  # of the height of a panel, from one name to the next
LEAST = 0.1  # per cent of predictions; below it the axis is linear, so that none at all has a place
ACCEPTED = 1.0  # per cent of predictions that the audit accepts


def figure(spec: CostSpec, drops: Path, comparison: Path) -> Figure:
    """Three panels against the evaluations of a training iteration's forward passes.

    These are the mean over training, with the checks of a controller. (a) the predictions that the
    model's flow makes otherwise, (b) the accuracy of the flow, (c) the evaluations of a forward
    pass of the model that is deployed, which with a fixed step and no penalty are those of
    training: a line. A colour stands for a training solver; small points are its models of fixed
    steps or tolerances, large ones those of controllers. Lines connect settings of one way to
    choose a step. Means over seeds, bars their intervals at 95 %.

    Args:
        spec: the task, its guess, and what its controllers are called; those of one name differ in
            one setting, and others are not drawn.
        drops: the study's `drops.csv`.
        comparison: its `comparison.csv`.
    """
    runs, compared = read_csv(drops), read_csv(comparison)
    runs = rows_of(spec.task, runs, drops)
    runs = runs[has_trained(runs)]
    compared = compared[(compared["task"] == spec.task) & compared["nfe_monitored"].notna()]
    score = score_of(runs)
    factor = 100 if score == "accuracy" else 1
    found = [*_fixed(runs, compared, score), *_others(spec, runs, compared, score)]
    ways = pd.DataFrame(found, columns=COLUMNS)
    scale = SCALES[score]
    fig = Figure(figsize=(PAGE, 2.8))
    unlike, flow, deployed = axes = fig.subplots(1, 3, sharex=True)
    for ax in axes:
        steps_axis(ax, "evaluations per iteration")
    unlike.set_yscale("symlog", linthresh=LEAST)
    unlike.axhline(
        ACCEPTED, color=FAINT, linewidth=0.8, linestyle=":", zorder=0, label="accepted by an audit"
    )
    for (solver, way), rows in ways.groupby(["solver", "way"], sort=False):
        look = _look(str(solver), str(way))
        ordered = rows.sort_values("nfe")
        _points(unlike, ordered, "unlike", 100, (0, 100), **look)
        _points(flow, ordered, "score", factor, (scale.low, scale.high), **look)
        own = ordered[(ordered["way"] != FIXED) | (ordered["nfe"] != ordered["deployed"])]
        deployed.plot(own["nfe"], own["deployed"], **look)
    unlike.set(title="unlike the flow's", ylabel="share of predictions (%)")
    flow.set_title("as an ODE")
    score_axis(flow, factor * ways["score"], spec.chance)
    guess_line([flow], spec.chance)
    deployed.set(title="deployed with", ylabel="evaluations per forward pass")
    deployed.set_yscale("log", base=2)
    for ax in (unlike, deployed):
        ax.yaxis.set_major_formatter("{x:g}")
    ends = [ways["nfe"].min(), ways["nfe"].max()]
    deployed.plot(ends, ends, color=FAINT, linewidth=0.8, zorder=0)  # of fixed steps
    _whole_octaves(deployed)
    _name_ways(deployed, ways)
    _explain(deployed, ways)
    label_panels(axes)
    key_below(fig, 5)
    return fig


def _fixed(runs: pd.DataFrame, compared: pd.DataFrame, score: str) -> Iterator[dict[str, Any]]:
    """A row per number of steps: an iteration takes a pass of the model, or what its row says."""
    grid = runs[runs["controller"].isna() & runs["train_steps"].notna()]
    for (solver, steps), group in grid.groupby(["train_solver", "train_steps"]):
        own = (compared["train_solver"] == solver) & (compared["train_steps"] == steps)
        taken = [*compared.loc[own, "nfe_monitored"], group["nfe"].iloc[0]]
        nfe = dict.fromkeys(("nfe", "nfe_low", "nfe_high"), taken[0])
        yield _row(solver, FIXED, nfe, group, score)


def _others(
    spec: CostSpec, runs: pd.DataFrame, compared: pd.DataFrame, score: str
) -> Iterator[dict[str, Any]]:
    """A row per tolerance and per controller that have a model which trained."""
    for _, row in compared.iterrows():
        solver, tolerance = row["train_solver"], row["train_tolerance"]
        own = runs[runs["train_solver"] == solver]
        if pd.notna(tolerance):
            way = TOLERANCES
            own = own[own["controller"].isna() & (own["train_tolerance"] == tolerance)]
        elif row["method"] in (names := spec.ways.get(solver, {})):
            way = names[row["method"]]
            own = own[own["controller"] == row["method"]]
        else:
            continue
        if len(own):
            nfe = {f"nfe{end}": row[f"nfe_monitored{end}"] for end in ("", *ENDS)}
            yield _row(solver, way, nfe, own, score)


def _row(
    solver: Any, way: str, nfe: dict[str, float], runs: pd.DataFrame, score: str
) -> dict[str, Any]:
    return {
        "solver": solver,
        "way": way,
        **nfe,
        **_mean("unlike", runs["disagreement"]),
        **_mean("score", runs[f"{score}_reference"]),
        "deployed": runs["nfe"].mean(),
    }


def _mean(name: str, values: pd.Series) -> dict[str, float]:
    low, high = mean_interval(values)
    return {name: values.mean(), f"{name}_low": low, f"{name}_high": high}


def _look(solver: str, way: str) -> dict[str, Any]:
    style = style_of(solver)
    return {
        "color": style.color,
        "marker": style.marker,
        **_look_of_way(way),
    }


def _look_of_way(way: str) -> dict[str, Any]:
    """What is the same for all solvers."""
    size = SMALL if way in SET_BY_HAND else LARGE
    return {"markersize": size, "linewidth": 0.8, **LOOKS.get(way, {})}


def _explain(ax: Axes, found: pd.DataFrame) -> None:
    """Put into the key what colours, sizes, fillings and lines mean."""
    for solver in found["solver"].unique():
        style = style_of(solver)
        ax.plot([], [], style.marker, color=style.color, markersize=4, label=style.name)
    ways = found["way"].unique()
    by_hand = [way for way in ways if way in SET_BY_HAND]
    others = [[way] for way in ways if way not in SET_BY_HAND]
    for alike in filter(None, [by_hand, *others]):
        look = _look_of_way(alike[0])
        ax.plot([], [], marker="o", color=FAINT, label=" or ".join(alike), **look)
    ax.plot([], [], "|", color=FAINT, markersize=8, label="95 % interval")


def _points(
    ax: Axes, rows: pd.DataFrame, name: str, factor: float, limits: tuple[float, float], **look: Any
) -> None:
    """Means and their intervals, both ways."""
    nfe, value = rows["nfe"], factor * rows[name]
    # Student's interval does not know that a share lies between 0 and 1, nor evaluations above 1.
    low, high = (factor * rows[f"{name}{end}"].clip(*(x / factor for x in limits)) for end in ENDS)
    ax.errorbar(
        nfe,
        value,
        xerr=[nfe - rows["nfe_low"].clip(lower=1), rows["nfe_high"] - nfe],
        yerr=[value - low, high - value],
        elinewidth=0.6,
        ecolor=to_rgba(look["color"], 0.5),
        **look,
    )


def _whole_octaves(ax: Axes) -> None:
    """Limits at powers of two if fewer than two lie between them: one alone tells no scale."""
    bottom, top = (math.log2(limit) for limit in ax.get_ylim())
    if math.floor(top) <= math.ceil(bottom):
        ax.set_ylim(2 ** math.floor(bottom), 2 ** math.ceil(top))


def _name_ways(ax: Axes, ways: pd.DataFrame) -> None:
    """Right of the panel the names of all ways, where their lines end."""
    last = (
        ways[ways["way"] != FIXED]
        .sort_values("nfe")
        .drop_duplicates(["solver", "way"], keep="last")
    )
    named = [(FIXED, FAINT, ways["nfe"].max())]
    for _, row in last.iterrows():
        named.append((row["way"], style_of(row["solver"]).color, row["deployed"]))
    named.sort(key=lambda one: one[2])
    bottom, top = (math.log2(limit) for limit in ax.get_ylim())
    wanted = [(math.log2(value) - bottom) / (top - bottom) for *_, value in named]
    for (name, color, _), height in zip(named, spaced(wanted), strict=True):
        name_beside(
            ax, name, (1, height), (4, 0), xycoords="axes fraction", va="center", color=color
        )


def spaced(wanted: Sequence[float]) -> list[float]:
    """Ascending heights of a panel, a line apart at least and below its top where they can be."""
    places: list[float] = []
    for height in wanted:
        places.append(max(height, places[-1] + LINE) if places else height)
    room = 1 - LINE / 2
    for i in reversed(range(len(places))):
        places[i] = min(places[i], room)
        room = places[i] - LINE
    return places
