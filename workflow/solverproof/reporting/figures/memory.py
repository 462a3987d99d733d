"""Peak memory of training against the number of steps."""

from pathlib import Path

from matplotlib.figure import Figure

from solverproof.reporting.figures.style import PAGE, ink, steps_axis
from solverproof.reporting.reading import read_csv
from solverproof.reporting.specifications import NoSpec

STYLES = {  # colours are of solvers
    "backpropagation": ("activations kept", "-", "o"),
    "recomputation": ("computed again", "--", "s"),
    "adjoint": ("adjoint equation", ":", "^"),
}


def figure(spec: NoSpec, table: Path) -> Figure:
    """Megabytes beyond those of an idle process, by where the gradients come from.

    Args:
        spec: empty.
        table: the measurements of `solverproof.benchmarks.memory`.
    """
    del spec
    measured = read_csv(table)
    fig = Figure(figsize=(PAGE / 2, 2.4))
    ax = fig.subplots()
    for way, (label, dashes, marker) in STYLES.items():
        rows = measured[measured["gradient"] == way]
        ax.plot(
            rows["steps"], rows["megabytes"], dashes, color=ink(), marker=marker, markersize=3,
            label=label,
        )  # fmt: skip
    steps_axis(ax, "number of steps $N$")
    ax.set_ylim(bottom=0)
    ax.set_ylabel("peak memory of training (MB)")
    ax.legend()
    return fig
