"""Figure 5: what the adaptation algorithm does during training."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from solverproof.evaluation.scores import score_of
from solverproof.reporting.figures.style import (
    PAGE,
    SCALES,
    SETTINGS_COLORMAP,
    label_panels,
    style_of,
    with_score,
)
from solverproof.reporting.specifications import AdaptationSpec

MARKED = 10  # times at which the finer solvers of panel (c) are marked


def figure(spec: AdaptationSpec, *inputs: Path) -> Figure:
    """Test accuracy, or error, (a) and chosen step (b) of all seeds; the same of one seed (c, d).

    Panel (c) also has the accuracy with finer solvers.

    Args:
        spec: the training solver.
        inputs: `probes.csv` of every seed, then `checks.csv` of every seed.
    """
    half = len(inputs) // 2
    probes, checks = with_score(_read(inputs[:half])), _read(inputs[half:])
    fig = Figure(figsize=(PAGE, 4.4))
    axes = fig.subplots(2, 2, sharex=True, height_ratios=(3, 2))
    seeds = sorted(probes["seed"].unique())
    colors = [
        mpl.colormaps[SETTINGS_COLORMAP](0.12 + 0.88 * i / max(1, len(seeds) - 1))
        for i in range(len(seeds))
    ]
    for seed, color in zip(seeds, colors, strict=True):
        own, chosen = probes[probes["seed"] == seed], checks[checks["seed"] == seed]
        deployed = own[own["role"] == "deployed"]
        axes[0, 0].plot(deployed["iteration"], deployed["score"], color=color, label=f"seed {seed}")
        _sizes(axes[1, 0], chosen, color)
        if seed == seeds[0]:
            _finer(axes[0, 1], own, spec.solver)
            _sizes(axes[1, 1], chosen, style_of(spec.solver).color)
    _label(axes, f"seed {seeds[0]}" if seeds else "no seed was trained far enough")
    for ax in axes[0]:
        ax.set_ylabel(SCALES[score_of(probes)].label)
    return fig


def _read(paths: Sequence[Path]) -> pd.DataFrame:
    return pd.concat([pd.read_csv(path) for path in paths], ignore_index=True)


def _sizes(ax: Axes, checks: pd.DataFrame, color: Any) -> None:
    """Number of steps, or tolerance, over training."""
    adaptive = checks["tolerance"].notna().any()
    sizes = checks["tolerance"] if adaptive else checks["steps"]
    ax.plot(checks["iteration"], sizes, color=color, drawstyle="steps-post", linewidth=0.8)
    ax.set_ylabel("tolerance" if adaptive else "number of steps $N$")
    ax.set_yscale("log" if adaptive else "linear")


def _finer(ax: Axes, probes: pd.DataFrame, solver: str) -> None:
    """Accuracy with the training solver as a line, with finer solvers as markers."""
    deployed, finer = probes[probes["role"] == "deployed"], probes[probes["role"] == "finer"]
    color = style_of(solver).color
    ax.plot(
        deployed["iteration"],
        deployed["score"],
        color=color,
        label=f"{style_of(solver).name} (training)",
    )
    times = sorted(finer["iteration"].unique())
    marked = finer[finer["iteration"].isin(times[:: max(1, len(times) // MARKED)])]
    for name in marked["test_solver"].unique():
        rows = marked[marked["test_solver"] == name]
        label = f"{style_of(name).name}, finer" if name == solver else style_of(name).name
        ax.plot(
            rows["iteration"], rows["score"], style_of(name).marker,
            color=style_of(name).color, markersize=4, fillstyle="none", label=label,
        )  # fmt: skip


def _label(axes: Any, shown: str) -> None:
    for above, below in axes.T:
        below.set_xlabel("iteration")
        # Below the column, where it covers no data.
        below.legend(
            *above.get_legend_handles_labels(),
            loc="upper center",
            bbox_to_anchor=(0.5, -0.3),
            ncols=3,
        )
    axes[0, 0].set_title("all seeds")
    axes[0, 1].set_title(shown)
    label_panels([axes[0, 0], axes[1, 0], axes[0, 1], axes[1, 1]])
