"""The numerical methods of the study and their properties."""

import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Literal, Self

from solverproof.errors import shown
from solverproof.ode.tableaux import Tableau, parse
from solverproof.specifications import Specification

Kind = Literal["fixed", "multistep", "adaptive"]
Measure = Literal["steps", "tolerance"]


@dataclass(frozen=True)
class Solver(Specification):
    """A numerical method.

    Attributes:
        name: its name in torchdiffeq, in the configuration and in every table.
        order: order of convergence p; the global error falls as h^p. For an adaptive method, the
            order of the solution that it propagates; for a multistep method, the order that its
            starting steps leave it.
        stages: vector-field evaluations per step. For an adaptive method after the first step,
            because each step reuses the last evaluation of the one before; for a multistep method
            after its starting steps, and at least.
        kind: `fixed` takes equal steps, each from the last state alone; `multistep` takes equal
            steps, each from several states; `adaptive` chooses its steps by a tolerance.
        source: where the method is defined. HNW is Hairer, Nørsett, Wanner,
            Solving Ordinary Differential Equations I (2nd edition, 1993).
        tableau: the Butcher tableau of a method that the configuration defines.
    """

    name: str
    order: int
    stages: int
    source: str = field(compare=False)  # for readers
    kind: Kind = "fixed"
    tableau: Tableau | None = None

    @property
    def is_adaptive(self) -> bool:
        """Whether the method chooses its steps by a tolerance."""
        return self.kind == "adaptive"

    @property
    def measure(self) -> Measure:
        """The quantity that controls the method's error."""
        return "tolerance" if self.is_adaptive else "steps"

    def to_json(self) -> Any:
        """Its name, or the tableau of one that the configuration defines (its source aside)."""
        return {"name": self.name, **self.tableau.to_json()} if self.tableau else self.name

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """The solver that `to_json` wrote."""
        known = SOLVERS[content] if isinstance(content, str) else defined(content["name"], content)
        return cls(**vars(known))


# torchdiffeq raises the order to 12, where Adams-Bashforth methods are stable for tiny steps only
ADAMS = "orders up to 12, started by rk4; HNW III.1"
# its next step begins with the slope at the state of order 1, from which it does not go on; the
# pair as Fehlberg prints it is fehlberg_rk12 in shipped.yaml
FEHLBERG = "after Fehlberg 1969, RK1(2), with another first slope; HNW II.4"
_BUILT_IN = (
    Solver("euler", order=1, stages=1, source="explicit Euler; HNW II.1"),
    Solver("midpoint", order=2, stages=2, source="explicit midpoint (Runge 1895); HNW II.1"),
    Solver("heun2", order=2, stages=2, source="explicit trapezoidal rule; HNW II.1"),
    Solver("heun3", order=3, stages=3, source="Heun 1900; HNW II.1, table 1.1"),
    Solver("rk4", order=4, stages=4, source="Kutta's 3/8 rule; HNW II.1, table 1.2"),
    Solver(
        "explicit_adams", order=4, stages=1, source=f"Adams-Bashforth, {ADAMS}", kind="multistep"
    ),
    Solver("implicit_adams", order=5, stages=2, source=f"Adams-Moulton, {ADAMS}", kind="multistep"),
    Solver("fehlberg2", order=2, stages=2, source=FEHLBERG, kind="adaptive"),
    Solver("adaptive_heun", order=2, stages=1, source="Heun-Euler 2(1); HNW II.4", kind="adaptive"),
    Solver("bosh3", order=3, stages=3, source="Bogacki, Shampine 1989, 3(2)", kind="adaptive"),
    Solver(
        "dopri5", order=5, stages=6, source="Dormand, Prince 1980, 5(4); HNW II.5", kind="adaptive"
    ),
    Solver(
        "dopri8", order=8, stages=13, source="Prince, Dormand 1981, 8(7); HNW II.5", kind="adaptive"
    ),
)
SOLVERS: Mapping[str, Solver] = MappingProxyType({solver.name: solver for solver in _BUILT_IN})
"""The methods of torchdiffeq, by name; they cannot be changed."""
# names in torchdiffeq: fixed_adams is an alias of implicit_adams, scipy_solver has no gradients
METHODS = frozenset([*SOLVERS, "fixed_adams", "scipy_solver"])


def defined(name: str, definition: Mapping[str, Any]) -> Solver:
    """The method that a Butcher tableau gives.

    Args:
        name: its name.
        definition: the keys of `solvers` in the configuration.

    Raises:
        TableauError: if the tableau is not that of a method of the stated order.
    """
    tableau = parse(definition)
    kind: Kind = "adaptive" if tableau.b_embedded else "fixed"
    stages = tableau.evaluations_per_step
    return Solver(name, tableau.order, stages, definition.get("source", ""), kind, tableau)


def known_solvers(definitions: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Solver]:
    """Solvers by name: those of torchdiffeq, and those of a configuration."""
    return by_name(defined(name, definition) for name, definition in definitions.items())


def by_name(own: Iterable[Solver]) -> Mapping[str, Solver]:
    """The solvers of torchdiffeq and others, by name."""
    return {**SOLVERS, **{solver.name: solver for solver in own}}


def table(solvers: Mapping[str, Solver] = SOLVERS) -> str:
    """All solvers, by kind, as a table for a terminal."""
    rows = [["name", "kind", "order", "stages", "source"]]
    rows += [[s.name, s.kind, str(s.order), str(s.stages), s.source] for s in solvers.values()]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return "\n".join("  ".join([*map(str.ljust, row, widths), row[-1]]) for row in rows)


@dataclass(frozen=True)
class Setting(Specification):
    """A solver and how finely it is run; an immutable value handed to the forward pass.

    Attributes:
        solver: the method.
        steps: the number of steps N of a fixed-step method, whose step size is horizon / N.
        tolerance: the tolerance of an adaptive one, relative and, unless `atol` is given, absolute.
        atol: its absolute tolerance, where that is another; 0 for relative control alone.

    Raises:
        TypeError: if the solver is none.
        ValueError: unless exactly what fits the solver is given, and it is positive.
    """

    solver: Solver
    steps: int | None = None
    tolerance: float | None = None
    atol: float | None = None

    def __post_init__(self) -> None:
        """Reject a value that does not fit: a tolerance taken for steps would round to 0."""
        if not isinstance(self.solver, Solver):
            raise TypeError(f"solver is {self.solver!r}; give a Solver, as SOLVERS has them")
        given = {"steps": self.steps, "tolerance": self.tolerance}
        value = given.pop(self.solver.measure)
        others = [*given.values(), None if self.solver.is_adaptive else self.atol]
        if value is None or any(other is not None for other in others):
            raise ValueError(
                f"{self.solver.name} is of kind '{self.solver.kind}'; "
                f"give it {self.solver.measure} alone{', or with atol' * self.solver.is_adaptive}"
            )
        if not _is_positive(value) or not (self.solver.is_adaptive or value == int(value)):
            wanted = "a positive number" if self.solver.is_adaptive else "a whole number above 0"
            raise ValueError(
                f"{self.solver.measure} of {self.solver.name} is {shown(value)}; give {wanted}"
            )
        if self.atol not in (None, 0) and not _is_positive(self.atol):
            told = f"atol of {self.solver.name} is {shown(self.atol)}"
            raise ValueError(f"{told}; give a positive number, or 0")
        if self.atol == self.tolerance:  # the same setting must be equal, however it is given
            object.__setattr__(self, "atol", None)

    @classmethod
    def of(cls, solver: Solver, value: float) -> Self:
        """The setting with a number of steps, or a tolerance, whichever the solver has."""
        if solver.is_adaptive:
            return cls(solver, tolerance=value)
        # 64.0, as tables have it, but not 64.5: that is passed on for the constructor to reject.
        steps: Any = int(value) if value % 1 == 0 else value
        return cls(solver, steps=steps)

    @property
    def value(self) -> float:
        """The number of steps or the tolerance.

        A larger number of steps is finer, a larger tolerance coarser.
        """
        value = self.tolerance if self.steps is None else self.steps
        assert value is not None  # one of them is given
        return value

    @property
    def tolerances(self) -> tuple[float, float]:
        """The relative and the absolute tolerance of an adaptive solver."""
        assert self.tolerance is not None  # of equal steps there are none
        return self.tolerance, self.tolerance if self.atol is None else self.atol

    @property
    def label(self) -> str:
        """The setting in paths: `steps-64` or `tolerance-0.001`."""
        absolute = "" if self.atol is None else f"-atol-{self.atol!r}"
        return f"{self.solver.measure}-{self.value!r}{absolute}"

    @property
    def words(self) -> str:
        """The setting as a person says it: `euler with 8 steps`, `dopri5 at tolerance 0.001`."""
        if self.atol is not None:
            return f"{self.solver.name} at rtol {self.tolerance:g} and atol {self.atol:g}"
        if self.steps is None:
            return f"{self.solver.name} at tolerance {self.tolerance:g}"
        return f"{self.solver.name} with {self.steps} step{'s' if self.steps > 1 else ''}"

    def at_ratio(self, ratio: float) -> "Setting":
        """The same solver at `ratio` times the step size (see `steps_at_ratio`) or tolerance."""
        if self.steps is None:
            # Exact decimals, so that 0.1 times 0.1 is 0.01, not 0.010000000000000002: settings are
            # compared for equality and their labels are paths.
            exact = Fraction(str(ratio))
            both = (float(Fraction(str(value)) * exact) for value in self.tolerances)
            return Setting(self.solver, None, *both)
        return Setting(self.solver, steps=steps_at_ratio(self.steps, ratio))

    def coarser(self) -> "Setting":
        """Half as many steps, or ten times the tolerance; two in place of a single step."""
        if self.steps is None:
            return self.at_ratio(10)
        return Setting(self.solver, steps=self.steps // 2 or 2)

    def with_solver(self, solver: Solver) -> "Setting":
        """The same number of steps or tolerance with another solver of the same measure."""
        return Setting(solver, self.steps, self.tolerance, self.atol)


def _is_positive(value: float) -> bool:
    """Whether a number, or a whole one of any size, is a positive float."""
    return 0 < value <= sys.float_info.max


def steps_at_ratio(train_steps: int, ratio: float) -> int:
    """Steps that make the test step at most `ratio` times the training step.

    A step of exactly `ratio * h` need not divide the interval. There is no shorter last step:
    the number of steps is rounded up and all steps are equal, so the step really taken is the
    largest one not above `ratio * h` that divides the interval (at least one step is taken).
    """
    # Exact, because 21 / 0.7 is 30.000000000000004 in floats and would be rounded up to 31.
    return max(1, math.ceil(train_steps / Fraction(str(ratio))))


def is_at_least_as_accurate(test: Setting, train: Setting) -> bool:
    """Whether `test` has a numerical error equal to or below that of `train`.

    True for the same solver at an equal or smaller step (or tolerance), and for a solver of higher
    order that is measured in the same way (both by steps, or both by tolerance) at an equal or
    smaller one: a claim about small steps, since orders say nothing about one large step.
    """
    if test.solver.measure != train.solver.measure:
        return False
    # Equal orders of different methods do not count: their error constants are unknown.
    better = test.solver == train.solver or test.solver.order > train.solver.order
    if train.solver.is_adaptive:
        pairs = zip(test.tolerances, train.tolerances, strict=True)
        finer = all(tested <= trained for tested, trained in pairs)
    else:
        finer = test.value >= train.value
    return better and finer
