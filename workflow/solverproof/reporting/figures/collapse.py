"""Figure 7: with the solver it was trained with, and as an ODE; the critical step between."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from solverproof.evaluation.rows import UNTRAINED
from solverproof.reporting.figures.style import (
    FAINT,
    PAGE,
    SHADED,
    failures,
    guess_line,
    ink,
    key_of,
    label_panels,
    mean_line,
    name_lines,
    score_axis,
    steps_axis,
    style_of,
    with_score,
)
from solverproof.reporting.in_words import bracket_text, critical_text
from solverproof.reporting.published import BRACKETS
from solverproof.reporting.reading import critical_row, read_csv, rows_of
from solverproof.reporting.specifications import CollapseSpec

ROOM = 1.3  # factor from the outermost settings to the edge of a panel
NARROW = 34  # letters to a line of the key of a panel, of three or more side by side


def figure(spec: CollapseSpec, drops: Path, critical: Path) -> Figure:
    """A column of panels per training solver of a task, against the number of training steps.

    Above, the score with the solver and step that a model was trained with, dark, and that of its
    flow, coloured. Below, of classes, what explains the difference: the drop under finer solvers
    and the share of predictions unlike the flow's, with the drop that is accepted. Means over the
    seeds that trained, bands their intervals at 95 %. The stripe is the critical bracket, the
    hatched one above it the paper's.

    Args:
        spec: the task and its training solvers of equal steps.
        drops: the study's `drops.csv`.
        critical: its `critical_steps.csv`.
    """
    runs, found = read_csv(drops), read_csv(critical)
    runs = rows_of(spec.task, runs[runs["controller"].isna()], drops)
    runs = with_score(runs.assign(untrained=runs["status"] == UNTRAINED))
    runs["flow"] = 100 * runs["accuracy_reference"] if spec.chance else runs["error_reference"]
    rows, columns = 2 if spec.chance is not None else 1, len(spec.solvers)
    fig = Figure(figsize=(PAGE if columns > 1 else 0.55 * PAGE, 1.1 + 1.7 * rows))
    axes = fig.subplots(rows, columns, sharex="col", sharey="row", squeeze=False)
    for column, solver in zip(axes.T, spec.solvers, strict=True):
        own = runs[runs["train_solver"] == solver]
        _scores(column[0], own, solver)
        told = filter(None, (f"trained with {style_of(solver).name}", failures(own)))
        column[0].set_title(", ".join(told))
        for ax in column[1:]:
            _losses(ax, own[~own["untrained"]], solver, 100 * spec.threshold)
            ax.set_title("what it loses")
        for ax in column:
            _bracket(ax, critical_row(found, spec.task, solver))
        settings = own["train_steps"]
        column[-1].set_xlim(settings.min() / ROOM, settings.max() * ROOM)
        steps_axis(column[-1], "number of training steps $N$")
        _published(column[-1], BRACKETS.get((spec.task, solver)))
        key_of(column[-1], fig, NARROW if columns > 2 else None)
    score_axis(axes[0][0], [*runs["score"], *runs["flow"]], spec.chance)
    guess_line(axes[0], spec.chance)
    if rows > 1:
        axes[1][0].set_ylabel("share of the test set (%)")
    if axes.size > 1:
        label_panels(axes.T.flat)
    return fig


def _scores(ax: Axes, runs: pd.DataFrame, solver: str) -> None:
    """The score with the training solver, and as an ODE."""
    style, trained = style_of(solver), runs[~runs["untrained"]]
    looks = {
        "with its own solver": ("score", ink(), "o"),
        "as an ODE": ("flow", style.color, style.marker),
    }
    drawn = {}
    for name, (column, color, marker) in looks.items():
        if len(mean_line(ax, trained, "train_steps", column, color=color, marker=marker)):
            drawn[name] = ax.lines[-1]
    name_lines(ax, drawn)


def _losses(ax: Axes, runs: pd.DataFrame, solver: str, threshold: float) -> None:
    """In percent, the drop and the share of predictions unlike the flow's."""
    style = style_of(solver)
    lines = {
        "drop": ("drop under finer solvers", ink(), "o"),
        "disagreement": ("predictions unlike the flow's", style.color, style.marker),
    }
    for column, (name, color, marker) in lines.items():
        shares = runs.assign(**{column: 100 * runs[column]})
        mean_line(ax, shares, "train_steps", column, color=color, marker=marker, label=name)
    label = f"drop that is accepted: {threshold:g}"
    ax.axhline(threshold, color=FAINT, linewidth=0.8, linestyle="--", zorder=0, label=label)
    ax.set_ylim(0, 100)


def _bracket(ax: Axes, row: pd.Series) -> None:
    """The critical bracket; where there is none the key says on which side it lies."""
    told = f"critical bracket: {bracket_text(row)}"
    if pd.notna(row["critical_steps"]):
        told += f"; estimate {critical_text(row)}"
    if row[["invalid_steps", "valid_steps"]].notna().all():
        # Its border tells it in the key from intervals, which are grey as well.
        ends = row["invalid_steps"], row["valid_steps"]
        ax.axvspan(*ends, zorder=0, facecolor=SHADED, edgecolor=FAINT, linewidth=0.6, label=told)
    elif row.notna().any():
        ax.plot([], [], " ", label=told)


def _published(ax: Axes, bracket: tuple[int, int] | None) -> None:
    """The paper's bracket, named in the key where it lies beyond the settings, too."""
    if not bracket:
        return
    label = "critical bracket of the paper: {}–{}".format(*bracket)
    if bracket[0] < ax.get_xlim()[1] and bracket[1] > ax.get_xlim()[0]:
        ax.axvspan(*bracket, 0.95, 1, facecolor="none", edgecolor=FAINT, hatch="/////", label=label)
    else:
        ax.plot([], [], " ", label=label)
