"""What each setting costs and how well it agrees with the flow."""

import math
from collections.abc import Iterator, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from solverproof.auditing.result import Candidate
from solverproof.reporting.figures.style import PAGE, steps_axis, style_of

SIZE = (0.7 * PAGE, 0.6 * PAGE)
DEPLOYED = "deployed"
LEAST_ACCEPTED = 0.1  # in percent, where nothing is accepted: some axis there must be
NAMED_FAILURES = 3
APART = 0.08  # octaves, at most, that a solver is set apart from its place


def figure(rows: Sequence[Candidate], accepted: float, missed: str) -> Figure:
    """Disagreement against evaluations, for every setting.

    A colour and a marker stand for a solver; adaptive ones are hollow and dashed. The region of
    safe settings is shaded, the deployed setting has a ring, a pale line is the frontier. Solvers
    are set apart a little, for at equal costs their intervals would hide each other.

    Args:
        rows: the settings.
        accepted: share of samples that may miss the flow.
        missed: what the disagreement is a share of.
    """
    figure = Figure(figsize=SIZE)
    ax = figure.subplots()
    shown = sorted((row for row in rows if _is_shown(row)), key=lambda row: row.nfe)
    solvers = dict.fromkeys(row.solver for row in rows if _is_shown(row))
    octaves = np.linspace(-1, 1, len(solvers)) * min(APART, 0.02 * (len(solvers) - 1))
    apart = dict(zip(solvers, 2**octaves, strict=True))
    for solver, factor in apart.items():
        _draw_solver(ax, [row for row in shown if row.solver == solver], factor)
    _draw_frontier(ax, [row for row in shown if row.pareto])
    for row in shown:
        if row.deployed:
            _mark(ax, row, apart[row.solver])
    _axes(ax, shown, accepted, missed)
    ax.set_title(_failures(rows), loc="left")
    if shown:
        figure.legend(loc="outside lower center", ncols=4)
    else:
        ax.text(0.5, 0.5, "no setting could be compared", transform=ax.transAxes, ha="center")
    return figure


def _is_shown(row: Candidate) -> bool:
    return math.isfinite(row.disagreement) and row.nfe > 0


def _draw_solver(ax: Axes, points: Sequence[Candidate], factor: float) -> None:
    style = style_of(points[0].solver)
    adaptive = points[0].steps is None
    share = [100 * row.disagreement for row in points]
    # Clopper and Pearson's interval holds the share; rounding alone could say otherwise.
    below = [max(0.0, 100 * (row.disagreement - row.disagreement_low)) for row in points]
    above = [max(0.0, 100 * (row.disagreement_high - row.disagreement)) for row in points]
    ax.errorbar(
        [factor * row.nfe for row in points], share, yerr=[below, above], label=style.name,
        color=style.color, marker=style.marker, markersize=4, linewidth=0.7, elinewidth=0.7,
        linestyle="--" if adaptive else "-", fillstyle="none" if adaptive else "full",
    )  # fmt: skip


def _draw_frontier(ax: Axes, rows: Sequence[Candidate]) -> None:
    """From each setting on the frontier on, none agrees better until the next."""
    if len(rows) > 1:
        ax.plot(
            [row.nfe for row in rows], [100 * row.disagreement for row in rows], color="0.7",
            alpha=0.5, linewidth=3, drawstyle="steps-post", zorder=0, label="frontier",
        )  # fmt: skip


def _mark(ax: Axes, row: Candidate, factor: float) -> None:
    ax.plot(
        factor * row.nfe, 100 * row.disagreement, "o", color=mpl.rcParams["text.color"],
        markersize=10, markeredgewidth=1.2, fillstyle="none", zorder=5, label=DEPLOYED,
    )  # fmt: skip


def _axes(ax: Axes, rows: Sequence[Candidate], accepted: float, missed: str) -> None:
    steps_axis(ax, "evaluations of the field per sample")
    edge = max(100 * accepted, LEAST_ACCEPTED)
    ends = [100 * row.disagreement_high for row in rows if math.isfinite(row.disagreement_high)]
    top = max([2 * edge, *(1.3 * end for end in ends)])
    ax.set_yscale("symlog", linthresh=edge, linscale=0.8)
    ax.set_ylim(-0.15 * edge, top)
    ax.set_yticks(list(_ticks(edge, top)), minor=False)
    ax.yaxis.set_minor_locator(mpl.ticker.NullLocator())
    ax.yaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    ax.set_ylabel(f"{missed} (%)")
    ax.axhspan(-0.15 * edge, 100 * accepted, color="0.5", alpha=0.12, linewidth=0, zorder=0)
    label = f"accepted: {100 * accepted:g} %"
    ax.axhline(100 * accepted, color="0.5", linewidth=0.8, zorder=0, label=label)


def _ticks(edge: float, top: float) -> Iterator[float]:
    """0, what is accepted, and round numbers above it."""
    yield from (0, edge)
    rounds = [factor * 10**power for power in range(-1, 3) for factor in (1, 3)]
    yield from (value for value in rounds if 1.7 * edge < value <= min(top, 100))


def _numbers(row: Candidate) -> str:
    """Steps, tolerance, or both tolerances."""
    given = (row.steps, row.tolerance, row.atol)
    return " / ".join(f"{value:g}" for value in given if value is not None)


def _failures(rows: Sequence[Candidate]) -> str:
    """Which settings have no disagreement to show."""
    lost = [row for row in rows if not _is_shown(row)]
    names = [f"{style_of(row.solver).name} {_numbers(row)}" for row in lost]
    if len(names) > NAMED_FAILURES:
        names[NAMED_FAILURES:] = ["…"]
    return f"{len(lost)} of {len(rows)} settings failed: {', '.join(names)}" if lost else ""
