"""Figures, drawn from tables and traces alone."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

FIGURES = {
    "trajectories": "solverproof.reporting.figures.trajectories",
    "regions": "solverproof.reporting.figures.regions",
    "fan": "solverproof.reporting.figures.fan",
    "accuracy": "solverproof.reporting.figures.accuracy",
    "adaptation": "solverproof.reporting.figures.adaptation",
    "memory": "solverproof.reporting.figures.memory",
}


def draw(figure: str, spec: Mapping[str, Any], inputs: Sequence[Path], out: Sequence[Path]) -> None:
    """Draw a figure and save it in the format of each output's suffix.

    Args:
        figure: a name in `FIGURES`, whose module has a function `figure(spec, *inputs)`.
        spec: what the figure shows.
        inputs: the tables and traces it is drawn from.
        out: files to write, such as figure.pdf and figure.png.
    """
    from solverproof.reporting.figures.style import save, styled

    with styled():
        save(import_module(FIGURES[figure]).figure(spec, *inputs), out)
