"""How the error falls with the step size."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from solverproof.auditing.result import Candidate
from solverproof.reporting.figures.style import PAGE, style_of

SIZE = (0.7 * PAGE, 0.6 * PAGE)
QUANTILES: dict[str, tuple[Any, Any]] = {"median": ("-", "full"), "p95": ("--", "none")}
BELOW = 0.6  # where a slope is drawn, so that it does not hide the errors
NAMES = {"median": "median", "p95": "95th percentile"}


def refined(rows: Sequence[Candidate]) -> dict[str, list[Candidate]]:
    """The settings of each solver with equal steps and errors at two step sizes or more."""
    found: dict[str, list[Candidate]] = {}
    for row in sorted(rows, key=lambda row: row.steps or 0, reverse=True):
        if row.steps and _is_drawn(row.error_relative_median) and _is_drawn(row.error_relative_p95):
            found.setdefault(row.solver, []).append(row)
    return {solver: points for solver, points in found.items() if len(points) > 1}


def _is_drawn(error: float) -> bool:
    return 0 < error < math.inf


def observed_orders(measures: Mapping[str, Any], deployed: str) -> dict[str, float]:
    """The observed order by solver, where `measures["order"]` has one.

    It is {"observed": 1.02, ...} for the deployed solver, or one of these for each solver.
    """
    group = measures.get("order") or {}
    by_solver = {deployed: group} if "observed" in group else group
    found = {
        name: told.get("observed") for name, told in by_solver.items() if isinstance(told, Mapping)
    }
    return {
        name: order for name, order in found.items() if order is not None and math.isfinite(order)
    }


def figure(rows: Sequence[Candidate], orders: Mapping[str, float]) -> Figure:
    """Relative error against step size, its median and 95th percentile, for every solver.

    Args:
        rows: the settings, of which those with equal steps are drawn.
        orders: the observed order by solver; its slope is drawn below the finest errors.
    """
    figure = Figure(figsize=SIZE)
    ax = figure.subplots()
    solvers = refined(rows)
    for solver, points in solvers.items():
        _draw_solver(ax, solver, points)
    _axes(ax)
    limits = ax.get_ylim()
    named = [
        _draw_slope(ax, solvers[solver], orders[solver]) for solver in orders if solver in solvers
    ]
    ax.set_ylim(limits)
    figure.legend(handles=[*_handles(solvers), *named], loc="outside lower center", ncols=4)
    return figure


def _draw_solver(ax: Axes, solver: str, points: Sequence[Candidate]) -> None:
    style = style_of(solver)
    for quantile, (line, fill) in QUANTILES.items():
        errors = [getattr(row, f"error_relative_{quantile}") for row in points]
        ax.plot(
            _step_sizes(points), errors, color=style.color, marker=style.marker, markersize=4,
            linewidth=0.7, linestyle=line, fillstyle=fill,
        )  # fmt: skip


def _step_sizes(points: Sequence[Candidate]) -> list[float]:
    """As shares of the interval that is solved."""
    return [1 / row.steps for row in points if row.steps]


def _draw_slope(ax: Axes, points: Sequence[Candidate], order: float) -> Line2D:
    """A line of this slope below the medians at the finer half of the step sizes."""
    sizes = _step_sizes(points)
    finer = range((len(points) + 1) // 2)
    logs = [math.log(points[i].error_relative_median / sizes[i] ** order) for i in finer]
    constant = BELOW * math.exp(sum(logs) / len(logs))
    style = style_of(points[0].solver)
    (line,) = ax.plot(
        sizes, [constant * size**order for size in sizes], ":", color=style.color, linewidth=1.5,
        zorder=0, label=f"{style.name}: order {order:.2f}",
    )  # fmt: skip
    return line


def _axes(ax: Axes) -> None:
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(_as_fraction))
    ax.set_xlabel("step size $h$ / length of the interval")
    ax.set_ylabel("relative error of the final state")


def _as_fraction(size: float, _: Any) -> str:
    return str(Fraction(size).limit_denominator(2**20))


def _handles(solvers: Mapping[str, Any]) -> list[Line2D]:
    styles = [style_of(solver) for solver in solvers]
    return [
        *(
            Line2D([], [], color=s.color, marker=s.marker, markersize=4, linestyle="", label=s.name)
            for s in styles
        ),
        *(
            Line2D([], [], color="0.5", marker="o", markersize=4, linestyle=line, fillstyle=fill,
                   label=NAMES[quantile])
            for quantile, (line, fill) in QUANTILES.items()
        ),
    ]  # fmt: skip
