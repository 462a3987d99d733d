"""The numerical methods of the study: what is known about each without running it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from solverproof.ode.tableaux import Tableau, parse

Kind = Literal["fixed", "multistep", "adaptive"]


@dataclass(frozen=True)
class Solver:
    """A numerical method.

    Attributes:
        name: its name in torchdiffeq, in config and in every table.
        order: order of convergence p; the global error falls as h^p. Of an adaptive method that of the
            solution it goes on with; of a multistep method that which its first steps leave it.
        stages: vector-field evaluations per step. Of an adaptive method, whose next step reuses the
            last one, after the first; of a multistep method after its starting steps, at least.
        kind: `fixed` takes equal steps, each from the last state alone; `multistep` equal steps, from
            several states; `adaptive` chooses its steps by a tolerance.
        source: where the method is defined. HNW is Hairer, Nørsett, Wanner,
            Solving Ordinary Differential Equations I (2nd edition, 1993).
        tableau: the Butcher tableau of a method that the configuration defines.
    """

    name: str
    order: int
    stages: int
    source: str
    kind: Kind = "fixed"
    tableau: Tableau | None = None

    @property
    def is_adaptive(self) -> bool:
        """Whether the method chooses its steps by a tolerance."""
        return self.kind == "adaptive"

    @property
    def measure(self) -> Literal["steps", "tolerance"]:
        """What says how finely the method is run."""
        return "tolerance" if self.is_adaptive else "steps"


# torchdiffeq lets the order grow to 12, where Adams-Bashforth methods are stable for tiny steps only
ADAMS = "orders up to 12, started by rk4; HNW III.1"
SOLVERS = {
    solver.name: solver
    for solver in (
        Solver("euler", order=1, stages=1, source="explicit Euler; HNW II.1"),
        Solver("midpoint", order=2, stages=2, source="explicit midpoint (Runge 1895); HNW II.1"),
        Solver("heun2", order=2, stages=2, source="explicit trapezoidal rule; HNW II.1"),
        Solver("heun3", order=3, stages=3, source="Heun 1900; HNW II.1, table 1.1"),
        Solver("rk4", order=4, stages=4, source="Kutta's 3/8 rule; HNW II.1, table 1.2"),
        Solver("explicit_adams", order=4, stages=1, source=f"Adams-Bashforth, {ADAMS}", kind="multistep"),
        Solver("implicit_adams", order=5, stages=2, source=f"Adams-Moulton, {ADAMS}", kind="multistep"),
        Solver("fehlberg2", order=2, stages=2, source="Fehlberg 1969, RK1(2); HNW II.4", kind="adaptive"),
        Solver("adaptive_heun", order=2, stages=1, source="Heun-Euler 2(1); HNW II.4", kind="adaptive"),
        Solver("bosh3", order=3, stages=3, source="Bogacki, Shampine 1989, 3(2)", kind="adaptive"),
        Solver("dopri5", order=5, stages=6, source="Dormand, Prince 1980, 5(4); HNW II.5", kind="adaptive"),
        Solver("dopri8", order=8, stages=13, source="Prince, Dormand 1981, 8(7); HNW II.5", kind="adaptive"),
    )
}
# names of torchdiffeq: fixed_adams is implicit_adams again, and one cannot train through scipy_solver
METHODS = frozenset([*SOLVERS, "fixed_adams", "scipy_solver"])


def table() -> str:
    """All solvers, by kind, as a table for a terminal."""
    rows = [["name", "kind", "order", "stages", "source"]]
    rows += [[s.name, s.kind, str(s.order), str(s.stages), s.source] for s in SOLVERS.values()]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return "\n".join("  ".join([*map(str.ljust, row, widths), row[-1]]) for row in rows)


def define(definitions: Mapping[str, Mapping[str, Any]]) -> None:
    """Add methods given by their Butcher tableaux to `SOLVERS`.

    Args:
        definitions: name to the keys of `solvers` in the configuration.

    Raises:
        TableauError: if a tableau is not that of a method of the stated order.
    """
    for name, definition in definitions.items():
        tableau = parse(definition)
        kind: Kind = "adaptive" if tableau.b_embedded else "fixed"
        stages = tableau.evaluations_per_step
        SOLVERS[name] = Solver(name, tableau.order, stages, definition.get("source", ""), kind, tableau)


@dataclass(frozen=True)
class Setting:
    """A solver and how finely it is run; an immutable value handed to the forward pass.

    Attributes:
        solver: the method.
        fineness: the number of steps N of a fixed-step method, whose step size is horizon / N; the
            relative and absolute tolerance of an adaptive one.
    """

    solver: Solver
    fineness: float

    @property
    def steps(self) -> int | None:
        """Number of steps; None for an adaptive solver."""
        return None if self.solver.is_adaptive else int(self.fineness)

    @property
    def tolerance(self) -> float | None:
        """Tolerance; None for a fixed-step solver."""
        return self.fineness if self.solver.is_adaptive else None

    @property
    def spec(self) -> dict[str, Any]:
        """The setting as JSON: solver, and steps or tolerance."""
        return {"solver": self.solver.name, self.solver.measure: self.fineness}

    @property
    def label(self) -> str:
        """The setting in paths: `steps-64` or `tolerance-0.001`."""
        return f"{self.solver.measure}-{self.fineness!r}"

    def finer(self, ratio: float) -> "Setting":
        """The same solver at `ratio` times the step size (see `steps_at_ratio`) or tolerance."""
        if self.solver.is_adaptive:
            return Setting(self.solver, float(Fraction(str(self.fineness)) * Fraction(str(ratio))))
        return Setting(self.solver, steps_at_ratio(int(self.fineness), ratio))

    def with_solver(self, solver: Solver) -> "Setting":
        """The same fineness with another solver that is measured in the same way."""
        return Setting(solver, self.fineness)


def setting(spec: Mapping[str, Any]) -> Setting:
    """The setting that a specification with `solver`, and `steps` or `tolerance`, describes."""
    solver = SOLVERS[spec["solver"]]
    return Setting(solver, spec[solver.measure])


def steps_at_ratio(train_steps: int, ratio: float) -> int:
    """Steps that make the test step at most `ratio` times the training step.

    A step of exactly `ratio * h` need not divide the interval. There is no shorter last step:
    the number of steps is rounded up and all steps are equal, so the step really taken is the
    largest one not above `ratio * h` that divides the interval (at least one step is taken).
    """
    return max(1, math.ceil(train_steps / Fraction(str(ratio))))


def is_at_least_as_accurate(test: Setting, train: Setting) -> bool:
    """Whether `test` has a numerical error equal to or below that of `train`.

    True for the same solver at an equal or smaller step (or tolerance), and for a solver of higher
    order that is measured in the same way (both by steps, or both by tolerance) at an equal or
    smaller one: a claim about small steps, since orders say nothing about one large step.
    """
    if test.solver.measure != train.solver.measure:
        return False
    better = test.solver == train.solver or test.solver.order > train.solver.order
    finer = test.fineness <= train.fineness if train.solver.is_adaptive else test.fineness >= train.fineness
    return better and finer
