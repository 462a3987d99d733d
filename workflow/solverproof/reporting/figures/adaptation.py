"""Figure 5: what the adaptation algorithm does during training."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from solverproof.evaluation.scores import has_score
from solverproof.reporting.figures.style import (
    PAGE,
    SHADE,
    guess_line,
    ink,
    key_of,
    label_panels,
    mean_line,
    score_axis,
    style_of,
    with_score,
)
from solverproof.reporting.in_words import bracket_text
from solverproof.reporting.published import TABLE
from solverproof.reporting.reading import check_columns, critical_row, read_csv
from solverproof.reporting.specifications import AdaptationSpec
from solverproof.training.controllers.base import Check

MARKED = 10  # times at which finer solvers are marked


def figure(spec: AdaptationSpec, critical: Path, *inputs: Path) -> Figure:
    """Test score with the training solver and with finer ones (a); the chosen step (b).

    Lines are means over seeds, of steps and tolerances geometric ones, with the range of all seeds
    and a thin line of one. The stripe is the critical bracket of the grid.

    Args:
        spec: the task and the training solver.
        critical: the study's `critical_steps.csv`.
        inputs: `probes.csv` of every seed, then `checks.csv` of every seed.
    """
    half = len(inputs) // 2
    for table in inputs[half:]:  # not probes, whose columns are defined where torch is loaded
        check_columns(table, Check)
    probes, checks = with_score(_read(inputs[:half])), _read(inputs[half:])
    fig = Figure(figsize=(PAGE, 3.3))
    scores, sizes = fig.subplots(1, 2, sharex=True)
    told = _trained(probes, checks, half)
    scores.set_title(f"accuracy, {told}" if spec.chance else told)
    _scores(scores, probes, spec)
    _sizes(sizes, checks, spec)
    _grid(sizes, critical_row(read_csv(critical), spec.task, spec.solver))
    for ax in (scores, sizes):
        ax.set_xlabel("iteration of training")
        key_of(ax, fig)
    label_panels([scores, sizes])
    return fig


def _read(paths: Sequence[Path]) -> pd.DataFrame:
    return pd.concat([read_csv(path) for path in paths], ignore_index=True)


def _trained(probes: pd.DataFrame, checks: pd.DataFrame, seeds: int) -> str:
    """Of how many seeds the figure is: a training that a test ended may be shorter than others."""
    decisions = checks.groupby("seed")["decision"].last()
    tested = decisions[decisions.isin(["passed", "failed"])].index
    own = probes.groupby("seed")["iteration"].transform("max")
    end = own.where(probes["seed"].isin(tested), probes["iteration"].max())
    at_end = probes["iteration"] == end
    trained = probes.loc[at_end & has_score(probes), "seed"].nunique()
    if not len(probes):
        return "no seed was trained far enough"
    return f"{seeds} seeds" + (f", {seeds - trained} failed" if trained < seeds else "")


def _scores(ax: Axes, probes: pd.DataFrame, spec: AdaptationSpec) -> None:
    """With the training solver a line, with finer solvers markers."""
    deployed, finer = probes[probes["role"] == "deployed"], probes[probes["role"] == "finer"]
    own = style_of(spec.solver)
    mean_line(
        ax, deployed, "iteration", "score", color=own.color, label=f"{own.name}, as in training"
    )
    times = sorted(finer["iteration"].unique())
    marked = finer[finer["iteration"].isin(times[:: max(1, len(times) // MARKED)])]
    for name, rows in marked.groupby("test_solver"):
        style, means = style_of(str(name)), rows.groupby("iteration")["score"].mean()
        label = f"{style.name}, finer steps" if name == spec.solver else style.name
        ax.plot(
            means.index, means, style.marker, color=style.color, markersize=4, fillstyle="none",
            label=label, clip_on=False,
        )  # fmt: skip
    score_axis(ax, probes["score"], spec.chance)
    guess_line([ax], spec.chance)


def _sizes(ax: Axes, checks: pd.DataFrame, spec: AdaptationSpec) -> None:
    """Number of steps, or tolerance, over training."""
    measure = "tolerance" if checks["tolerance"].notna().any() else "steps"
    # A check is of the size since the one before; rules may check every seed at times of its own.
    sizes = checks.pivot_table(measure, index="iteration", columns="seed").bfill().ffill()
    ax.set_title("chosen tolerance" if measure == "tolerance" else "chosen number of steps $N$")
    ax.set_yscale("log", base=10 if measure == "tolerance" else 2)
    if measure == "steps":
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    if not len(sizes):
        return
    color = style_of(spec.solver).color
    ends = sizes.min(axis=1), sizes.max(axis=1)
    ax.fill_between(sizes.index, *ends, label="range of all seeds", **{**SHADE, "color": color})
    first = sizes.columns[0]
    ax.plot(
        sizes.index, sizes[first], color=ink(), linewidth=0.5, drawstyle="steps-pre",
        label=f"seed {first} alone",
    )  # fmt: skip
    mean = np.exp(np.log(sizes).mean(axis=1))
    ax.plot(sizes.index, mean, color=color, linewidth=1.4, label="geometric mean")
    published = TABLE.get((spec.task, spec.solver), {}).get(spec.published or "")
    if published:
        steps = float(published[0])
        label = f"mean over training in the paper: {steps:g}"
        ax.axhline(steps, color=ink(), linewidth=1, linestyle="--", label=label)


def _grid(ax: Axes, row: pd.Series) -> None:
    """The critical bracket, if there is one."""
    for measure in ("steps", "tolerance"):
        ends = row[[f"invalid_{measure}", f"valid_{measure}"]]
        if ends.notna().all():
            label = f"critical bracket of the grid: {bracket_text(row)}"
            ax.axhspan(*ends, label=label, **SHADE)
