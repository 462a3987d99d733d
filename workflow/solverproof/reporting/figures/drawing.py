"""Drawing a figure by its name."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

from solverproof.errors import InputError, shown
from solverproof.evaluation.audit_rows import Audit
from solverproof.evaluation.criteria import Criterion
from solverproof.evaluation.critical import Critical
from solverproof.evaluation.rows import Evaluation
from solverproof.evaluation.validity import Drop
from solverproof.reporting.comparison import Comparison
from solverproof.reporting.reading import check_columns
from solverproof.reporting.specifications import (
    AccuracySpec,
    AdaptationSpec,
    CollapseSpec,
    CostSpec,
    FlowSpec,
    NoSpec,
)
from solverproof.specifications import Specification

# By module. It has a function `figure(spec, *inputs)`, whose specification is of this class.
FIGURES: Mapping[str, type[Specification]] = {
    "trajectories": FlowSpec,
    "animation": FlowSpec,
    "regions": FlowSpec,
    "fan": NoSpec,
    "accuracy": AccuracySpec,
    "adaptation": AdaptationSpec,
    "criteria": NoSpec,
    "collapse": CollapseSpec,
    "cost": CostSpec,
    "growth": NoSpec,
    "memory": NoSpec,
}
# By argument of such a function, what a row of the table is.
TABLES = {
    "evaluations": Evaluation,
    "drops": Drop,
    "critical": Critical,
    "comparison": Comparison,
    "audits": Audit,
    "criteria": Criterion,
}


def draw(name: str, spec: Any, inputs: Sequence[Path], out: Sequence[Path]) -> None:
    """Draw a figure and save it in the format of each output's suffix.

    Args:
        name: a name in `FIGURES`, which is also that of its module.
        spec: its specification, as JSON.
        inputs: the tables and traces it is drawn from.
        out: files to write, such as figure.pdf and figure.png.

    Raises:
        InputError: if there is no such figure, or the specification or the files are of another.
    """
    from solverproof.reporting.figures.film import Film, save_film
    from solverproof.reporting.figures.style import save, styled

    if name not in FIGURES:
        raise InputError(f"{shown(name)} is no figure; write one of {', '.join(FIGURES)}")
    figure = import_module(f"solverproof.reporting.figures.{name}").figure
    try:
        given = signature(figure).bind(spec, *inputs).arguments
    except TypeError as error:
        raise InputError(f"{name} is drawn from other files than these {len(inputs)}") from error
    for kind, row in TABLES.items():
        if kind in given:
            check_columns(given[kind], row)
    with styled():
        drawn = figure(FIGURES[name].given(spec), *inputs)
        if isinstance(drawn, Film):
            save_film(drawn, out)
        else:
            save(drawn, out)
