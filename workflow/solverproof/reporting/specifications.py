"""What defines tables and figures, besides the files they are made from."""

from collections.abc import Mapping
from dataclasses import dataclass

from solverproof.ode.solvers import Solver
from solverproof.specifications import Specification


@dataclass(frozen=True)
class TablesSpec(Specification):
    """The tables of a study.

    Attributes:
        threshold: largest drop of accuracy that still counts as valid.
        error_threshold: largest relative increase of an error that does.
        chance: the accuracy of a guess, by task; tasks of real values have none.
        own_solvers: solvers in the tables that the configuration defines.
    """

    threshold: float
    error_threshold: float
    chance: Mapping[str, float]
    own_solvers: tuple[Solver, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AccuracySpec(Specification):
    """Figure 4 of a task.

    Attributes:
        task: its name.
        solvers: names of the training solvers.
        chance: the accuracy of a guess; None of real values.
        own_solvers: solvers in the tables that the configuration defines.
    """

    task: str
    solvers: tuple[str, ...]
    chance: float | None = None
    own_solvers: tuple[Solver, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CollapseSpec(Specification):
    """Figure 7 of a task.

    Attributes:
        task: its name.
        solvers: names of the training solvers of equal steps.
        threshold: largest drop of accuracy that still counts as valid.
        chance: the accuracy of a guess; None of real values.
    """

    task: str
    solvers: tuple[str, ...]
    threshold: float
    chance: float | None = None


@dataclass(frozen=True, kw_only=True)
class FlowSpec(Specification):
    """Figures 1 and 2 and the animation.

    Attributes:
        task: name of the task.
        solver: name of the training solver.
        fine, coarse: numbers of training steps.
        chance: the accuracy of a guess.
    """

    task: str
    solver: str
    fine: int
    coarse: int
    chance: float


@dataclass(frozen=True, kw_only=True)
class AdaptationSpec(Specification):
    """Figure 5 of an adapted run of all seeds.

    Attributes:
        task: name of the task.
        solver: name of the training solver.
        chance: the accuracy of a guess; None of real values.
        published: the row of the paper's table to compare it with; None if there is none.
    """

    task: str
    solver: str
    chance: float | None = None
    published: str | None = None


@dataclass(frozen=True, kw_only=True)
class CostSpec(Specification):
    """Figure 8 of a task.

    Attributes:
        task: its name.
        ways: by training solver and controller, how it chooses a step, in words.
        chance: the accuracy of a guess; None of real values.
    """

    task: str
    ways: Mapping[str, Mapping[str, str]]
    chance: float | None = None


@dataclass(frozen=True)
class NoSpec(Specification):
    """A figure that nothing in the configuration defines."""


@dataclass(frozen=True)
class PageSpec(Specification):
    """The page of a study.

    Attributes:
        tables: what defines its tables.
        jobs: the number of jobs, by rule.
        captions: of figures and tables, by the name of the file without its suffix.
    """

    tables: TablesSpec
    jobs: Mapping[str, int]
    captions: Mapping[str, str]
