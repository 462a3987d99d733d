"""Figure 4: what models reach under other test settings, in one panel per training setting."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from solverproof.evaluation.rows import REFERENCE, SAMPLE
from solverproof.ode.solvers import by_name
from solverproof.reporting.figures.style import (
    FAINT,
    PAGE,
    SHADED,
    failures,
    guess_line,
    ink,
    key_below,
    mark_training,
    mean_line,
    read_evaluations,
    score_axis,
    style_of,
    with_score,
)
from solverproof.reporting.published import BRACKETS
from solverproof.reporting.reading import critical_row, read_csv, rows_of
from solverproof.reporting.specifications import AccuracySpec

NARROWEST, WIDEST = 6, 8  # panels in a row
BEYOND = 0.5  # of the extent of the test settings, from the finest to where the flow is drawn
VALID, INVALID = "valid", "invalid"
ALONE = {"linestyle": "--", "fillstyle": "none"}
TITLES = {"steps": "$N$ = {:g}", "tolerance": "tol. {:g}"}


class Group(NamedTuple):
    """Training settings of a solver whose panels stand side by side.

    Attributes:
        solver: its name.
        measure: `steps` or `tolerance`.
        settings: from coarse to fine.
    """

    solver: str
    measure: str
    settings: Sequence[float]


def figure(spec: AccuracySpec, evaluations: Path, drops: Path, critical: Path) -> Figure:
    """The score against how many times finer the test is than the training was.

    A line stands for a test solver; dashed ones are of samples that are solved alone. The ring is
    the training setting, the star on the right the flow. Points are means over the seeds that
    trained, bands their intervals at 95 %. Panels of settings that are not valid are shaded.

    Args:
        spec: the task and its training solvers.
        evaluations: the study's `evaluations.csv`.
        drops: its `drops.csv`.
        critical: its `critical_steps.csv`.
    """
    table = read_evaluations(evaluations, drops)
    table = with_score(rows_of(spec.task, table[table["controller"].isna()], evaluations))
    rows, found = list(_rows(spec, table)), read_csv(critical)
    columns = max(NARROWEST, *(sum(map(_width, row)) for row in rows))
    fig = Figure(figsize=(PAGE, 1.7 * len(rows) + 0.8))
    axes = fig.subplots(len(rows), columns, sharey=True, squeeze=False)
    for row, panels in zip(rows, axes, strict=True):
        free = iter(panels)
        for group in row:
            own = table[table["train_solver"] == group.solver]
            bracket = critical_row(found, spec.task, group.solver)
            _group(list(islice(free, _width(group))), own, group, bracket, spec.task)
        score_axis(panels[0], table["score"], spec.chance)
    column = {ax: i % columns for i, ax in enumerate(axes.flat)}
    for ax in [ax for ax in column if not ax.lines]:
        ax.remove()
    # Beyond the last column there is nothing that the name of the line could hide.
    guess_line(sorted(fig.axes, key=lambda ax: column[ax]), spec.chance)
    key_below(fig, 3, "number of test steps / of training steps, or training / test tolerance")
    return fig


def _rows(spec: AccuracySpec, table: pd.DataFrame) -> Iterator[list[Group]]:
    """The groups of each row of panels; solvers of one measure share a row where they fit."""
    known = by_name(spec.own_solvers)
    for measure in TITLES:
        row: list[Group] = []
        for solver in (name for name in spec.solvers if known[name].measure == measure):
            found = table.loc[table["train_solver"] == solver, f"train_{measure}"].unique()
            settings = sorted(found, reverse=measure == "tolerance")
            for first in range(0, len(settings), WIDEST):
                group = Group(solver, measure, settings[first : first + WIDEST])
                if sum(map(_width, [*row, group])) > WIDEST:
                    yield row
                    row = []
                row.append(group)
        if row:
            yield row


def _width(group: Group) -> int:
    """In panels, of which one alone would be narrower than what stands above it."""
    return max(2, len(group.settings))


def _group(
    axes: Sequence[Axes], runs: pd.DataFrame, group: Group, critical: pd.Series, task: str
) -> None:
    """The panels of one group, the first of `axes`, given the solver's critical settings."""
    solver, measure, settings = group
    train, test = runs[f"train_{measure}"], runs[f"test_{measure}"]
    runs = runs.assign(finer=test / train if measure == "steps" else train / test)
    for ax, setting in zip(axes, settings, strict=False):
        here = runs[train == setting]
        _panel(ax, here, solver)
        _places(ax, here, runs["finer"].fillna(1))  # nothing was counted where solvers gave up
        verdict = _verdict(group, setting, critical)
        if verdict == INVALID:
            ax.set_facecolor(SHADED)
        own = here[(here["test_solver"] == solver) & (here["finer"] == 1)]
        told = failures(own[own["control"] != SAMPLE]).replace(" and ", "\nand ")
        ax.set_xlabel(told, color=FAINT, fontsize=7)
        # The empty lines are where the heading of the group stands.
        ax.set_title(f"\n\n{TITLES[measure].format(setting)}\n{verdict}")
    axes[0].annotate(
        _heading(group, critical, task), (0, 1), (0, 23), xycoords="axes fraction",
        textcoords="offset points", va="bottom", in_layout=False,
    )  # fmt: skip


def _verdict(group: Group, setting: float, critical: pd.Series) -> str:
    """Whether models of a setting are valid; nothing where none of the solver's can be judged."""
    invalid, valid = (critical[f"{end}_{group.measure}"] for end in ("invalid", "valid"))
    if pd.isna(invalid) and pd.isna(valid):
        return ""
    is_valid = setting >= valid if group.measure == "steps" else setting <= valid
    return VALID if is_valid else INVALID


def _heading(group: Group, critical: pd.Series, task: str) -> str:
    name = f"trained with {style_of(group.solver).name}"
    ends = critical[[f"invalid_{group.measure}", f"valid_{group.measure}"]]
    if ends.isna().any():
        return f"\n{name}"
    published = BRACKETS.get((task, group.solver))
    also = " (the paper's: {}–{})".format(*published) if published else ""
    return f"{name}\ncritical {group.measure}: {ends.iloc[0]:g}–{ends.iloc[1]:g}{also}"


def _panel(ax: Axes, runs: pd.DataFrame, solver: str) -> None:
    """A line per test solver, the training setting and the flow."""
    runs = runs[~runs["untrained"]]
    tests = runs[runs["test_solver"] != REFERENCE]
    for (name, alone), tested in tests.groupby(["test_solver", tests["control"] == SAMPLE]):
        style = style_of(str(name))
        means = mean_line(
            ax, tested, "finer", "score", color=style.color, marker=style.marker,
            **ALONE if alone else {},
            label=f"tested with {style.name}{', each sample alone' if alone else ''}",
        )  # fmt: skip
        if name == solver and not alone and 1 in means:
            mark_training(ax, 1, means[1])


def _places(ax: Axes, runs: pd.DataFrame, finer: pd.Series) -> None:
    """The axis of all panels of a group, with a place for the flow on the right."""
    beyond = finer.max() * max(2.0, (finer.max() / finer.min()) ** BEYOND)
    flow = runs.loc[(runs["test_solver"] == REFERENCE) & ~runs["untrained"], "score"]
    ax.plot(
        beyond, flow.mean(), "*", color=ink(), markersize=6, clip_on=False,
        label="as an ODE: the flow",
    )  # fmt: skip
    ax.set_xscale("log")
    ax.set_xlim(finer.min() / 1.3, 1.3 * beyond)
    ax.set_xticks([1, finer.max(), beyond], ["1", f"{finer.max():g}", "ODE"])
    ax.xaxis.set_minor_locator(mpl.ticker.NullLocator())
