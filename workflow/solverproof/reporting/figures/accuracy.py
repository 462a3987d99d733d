"""Figure 4: test accuracy (or error) against the test setting, for every training setting."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from solverproof.evaluation.rows import REFERENCE, SAMPLE
from solverproof.evaluation.scores import GUESS_ERROR, score_of
from solverproof.ode.solvers import by_name
from solverproof.reporting.figures.style import (
    PAGE,
    SCALES,
    SETTINGS_COLORMAP,
    count_failures,
    errorbars,
    label_panels,
    read_evaluations,
    steps_axis,
    style_of,
    tolerance_axis,
    with_score,
)
from solverproof.reporting.specifications import AccuracySpec

MEASURES = ("steps", "tolerance")  # one row of panels each
BEYOND = 3.0  # factor from the finest test setting to where the flow is drawn
FLOW_MARKER = "*"


def figure(spec: AccuracySpec, evaluations: Path, drops: Path) -> Figure:
    """One panel per training solver of a task, against test steps or test tolerance.

    A colour stands for a training setting, a marker for a test solver, a dark marker for the
    training setting itself; dashed lines are of samples that are solved alone, and stars, on the
    right, of the flow. Points are means over the seeds that trained, bars their intervals at 95 %.

    Args:
        spec: the task and its training solvers.
        evaluations: the study's `evaluations.csv`.
        drops: its `drops.csv`.
    """
    table = read_evaluations(evaluations, drops)
    table = with_score(table[(table["task"] == spec.task) & table["controller"].isna()])
    known = by_name(spec.own_solvers)
    by_measure = {m: [s for s in spec.solvers if known[s].measure == m] for m in MEASURES}
    rows = {measure: solvers for measure, solvers in by_measure.items() if solvers}
    width = PAGE if max(map(len, rows.values())) > 1 else 0.62 * PAGE
    fig = Figure(figsize=(width, 2.7 * len(rows)))
    subfigures = fig.subfigures(len(rows), 1, squeeze=False)[:, 0]
    panels = [
        panel
        for part, (measure, solvers) in zip(subfigures, rows.items(), strict=True)
        for panel in _row(part, table[table["train_solver"].isin(solvers)], measure, solvers)
    ]
    for ax in panels:
        _guess(ax, spec.chance)
    if len(panels) > 1:
        label_panels(panels)
    return fig


def _guess(ax: Axes, chance: float | None) -> None:
    """A line at the score of a guess, and limits with room around it."""
    if chance is None:
        ax.set_yscale("log")  # errors of models that collapse are not bounded
    else:
        ax.set_ylim(max(-3, 100 * chance - 20), 104)
    guess = GUESS_ERROR if chance is None else 100 * chance
    ax.axhline(guess, color="0.7", linewidth=0.8, linestyle=":", zorder=0)


def _row(
    part: SubFigure, table: pd.DataFrame, measure: str, solvers: Sequence[str]
) -> Iterable[Axes]:
    """The panels of all training solvers of one measure, with one legend for all of them."""
    colors = _setting_colors(
        sorted(table[f"train_{measure}"].unique(), reverse=measure == "tolerance")
    )
    axes = part.subplots(1, len(solvers), sharey=True, squeeze=False)[0]
    for ax, solver in zip(axes, solvers, strict=True):
        _panel(ax, table[table["train_solver"] == solver], solver, measure, colors)
    axes[0].set_ylabel(SCALES[score_of(table)].label)
    tests = sorted(set(table["test_solver"]) - {REFERENCE})
    _legends(part, colors, tests, measure)
    return list(axes)


def _panel(
    ax: Axes, table: pd.DataFrame, solver: str, measure: str, colors: Mapping[float, Any]
) -> None:
    train, test = f"train_{measure}", f"test_{measure}"
    shown = table[~table["untrained"]]
    tests = shown[shown["test_solver"] != REFERENCE]
    for value, color in colors.items():
        lines = tests[tests[train] == value].groupby(["test_solver", tests["control"] == SAMPLE])
        for (test_solver, alone), runs in lines:
            _line(ax, runs, test, str(test_solver), color, alone=bool(alone))
    flow = shown[shown["test_solver"] == REFERENCE]
    _flow(ax, flow, train, table[test].agg("min" if measure == "tolerance" else "max"), colors)
    own = table[(table["test_solver"] == solver) & (table[test] == table[train])]
    own = own[own["control"] != SAMPLE]
    means = own[~own["untrained"]].groupby(train)["score"].mean()
    ax.plot(means.index, means, style_of(solver).marker, color="black", markersize=5, zorder=5)
    if measure == "tolerance":
        tolerance_axis(ax, "test tolerance")
    else:
        steps_axis(ax, "number of test steps $N$")
    ax.set_title(f"trained with {style_of(solver).name}{count_failures(own)}")


def _flow(
    ax: Axes, flow: pd.DataFrame, train: str, finest: float, colors: Mapping[float, Any]
) -> None:
    """The score of the flow itself, beyond the finest test setting."""
    place = finest / BEYOND if train == "train_tolerance" else finest * BEYOND
    known = flow[flow["score"].notna()].assign(place=place)
    for value, color in colors.items():
        runs = known[known[train] == value]
        errorbars(ax, runs, "place", color=color, marker=FLOW_MARKER, markersize=6)
    if len(known):
        ax.annotate(
            "flow", (place, 0.01), xycoords=("data", "axes fraction"), ha="center", color="0.4",
            fontsize=7,
        )  # fmt: skip


def _setting_colors(values: Sequence[float]) -> dict[float, Any]:
    """A colour for each training setting, from coarse to fine, the same in all panels of a row."""
    colormap: Colormap = mpl.colormaps[SETTINGS_COLORMAP]
    last = max(1, len(values) - 1)
    return {value: colormap(0.12 + 0.88 * i / last) for i, value in enumerate(values)}


def _line(
    ax: Axes, runs: pd.DataFrame, test: str, test_solver: str, color: Any, *, alone: bool
) -> None:
    marker = style_of(test_solver).marker
    kind = {"linestyle": "--", "fillstyle": "none"} if alone else {}
    errorbars(ax, runs, test, color=color, marker=marker, markersize=3, linewidth=0.7, **kind)


def _legends(
    part: SubFigure, colors: Mapping[float, Any], test_solvers: Iterable[str], measure: str
) -> None:
    settings = [Line2D([], [], color=color, label=f"{n:g}") for n, color in colors.items()]
    shapes = [
        Line2D(
            [],
            [],
            color="0.5",
            marker=style_of(s).marker,
            markersize=4,
            linestyle="",
            label=style_of(s).name,
        )
        for s in test_solvers
    ]
    own = Line2D(
        [], [], color="black", marker="o", markersize=5, linestyle="", label="test = train"
    )
    flow = Line2D(
        [], [], color="0.5", marker=FLOW_MARKER, markersize=6, linestyle="", label="its flow"
    )
    alone = Line2D(
        [], [], color="0.5", marker="o", markersize=4, linestyle="--", fillstyle="none",
        label="samples alone",
    )  # fmt: skip
    others = [own, flow, *([alone] if measure == "tolerance" else [])]
    part.legend(handles=settings, title=f"training {measure}", loc="outside right upper")
    part.legend(handles=[*shapes, *others], title="test solver", loc="outside right lower")
