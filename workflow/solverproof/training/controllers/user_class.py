"""A controller of the user's own, named by import path."""

from __future__ import annotations  # planning imports this module and must not load torch

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from solverproof.errors import InputError
from solverproof.ode.solvers import Setting, Solver
from solverproof.training.controllers.base import Check, Controller, Decision
from solverproof.training.controllers.measuring import measure
from solverproof.user_code import found, guarded

if TYPE_CHECKING:
    from solverproof.training.batches import Batch

MOST_STEPS = 20_000  # a mistaken rule asks for more, which memory may not hold


@dataclass(frozen=True, kw_only=True)
class UserController(Controller):
    """Chooses the number of steps, or the tolerance, of every iteration by the user's own rule.

    The class that `path` names is called as `Class(stream, **options)`, where `stream` is the seed
    of the run's random numbers. Its method `choose(iteration, measure)` returns the number of steps
    of the iteration, or the tolerance of an adaptive solver. `measure(value)` is the accuracy on
    the iteration's batch (the error of real values, NaN where the solver gives up) at another
    number of steps or tolerance; `measure(value, name)` that of a solver by its name, as given in
    the key `solvers`. Its attributes are its state, which checkpoints keep: numbers, texts, lists
    and dictionaries; a class with another state has `state_dict` and `load_state_dict`.

    Attributes:
        path: `module:Class`.
        options: its keyword arguments.
        solvers: solvers that it measures with, besides the training solver.
        probe_every: iterations between two measurements on the test set.
        code: hash of the module's code, so that an edit trains its cells again.
    """

    family: ClassVar[str] = "module"
    adapts: ClassVar[bool] = True
    solver_keys: ClassVar[tuple[str, ...]] = ("solvers",)
    path: str
    options: Mapping[str, Any] = field(default_factory=dict)
    solvers: tuple[Solver, ...]
    probe_every: int
    code: str | None = None

    @property
    def user_code(self) -> str:
        """The import path."""
        return self.path

    def misfit(self, solver: Solver) -> str | None:
        """Solvers of another measure than the training solver."""
        for other in self.solvers:
            if other.measure != solver.measure:
                wanted = f"write a solver of kind '{solver.kind}'"
                return f"{other.name} is not of the kind of {solver.name}; {wanted}"
        return None

    def expected_steps(self, solver: Solver) -> int | None:
        """Only the code knows."""
        del solver
        return None

    def probe_solvers_used(self) -> tuple[Solver, ...]:
        """The given ones."""
        return self.solvers

    def schedule(self, solver: Solver, *, seed: int, stream: int) -> UserSchedule:
        """The choices for one seed."""
        with guarded(self.path):
            rule = found(self.path)(stream, **self.options)
        schedule = UserSchedule(self, rule, solver, seed)
        schedule.state_dict()  # what no checkpoint keeps is told before hours of training
        return schedule


class UserSchedule:
    """The choices of one rule; a row of `checks.csv` where it has measured or chosen anew."""

    def __init__(self, definition: UserController, rule: Any, solver: Solver, seed: int) -> None:
        self.path, self.rule, self.solver, self.seed = definition.path, rule, solver, seed
        self.solvers = {s.name: s for s in (solver, *definition.solvers)}
        self.chosen: Setting | None = None
        self.monitoring_nfe = 0
        self.checks: list[Check] = []

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint: that of the rule, and the records so far."""
        with guarded(self.path):
            own = hasattr(self.rule, "state_dict")
            rule = self.rule.state_dict() if own else dict(vars(self.rule))
        return {
            "rule": {name: self._plain(name, value) for name, value in rule.items()},
            "chosen": self.chosen.value if self.chosen else None,
            "monitoring_nfe": self.monitoring_nfe,
            "checks": [asdict(check) for check in self.checks],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore such a state."""
        with guarded(self.path):
            if hasattr(self.rule, "load_state_dict"):
                self.rule.load_state_dict(state["rule"])
            else:
                vars(self.rule).update(state["rule"])
        chosen = state["chosen"]
        self.chosen = None if chosen is None else Setting.of(self.solver, chosen)
        self.monitoring_nfe = state["monitoring_nfe"]
        self.checks[:] = [Check(**check) for check in state["checks"]]

    @property
    def deployed(self) -> Setting:
        """The last choice."""
        if self.chosen is None:
            raise InputError(f"{self.path}: nothing was chosen before training ended")
        return self.chosen

    def __call__(self, batch: Batch) -> Setting:
        """The setting that the rule chooses for a batch."""

        def score(value: float, solver: str | None = None) -> float:
            found = measure(batch, self._setting(value, solver or self.solver.name))
            self.monitoring_nfe += found.nfe
            return found.score

        before = self.monitoring_nfe
        with guarded(self.path):
            value = self.rule.choose(batch.iteration, score)
        setting = self._setting(value, self.solver.name)
        if setting != self.chosen or self.monitoring_nfe > before:
            self._note(batch, setting)
        self.chosen = setting
        return setting

    def _setting(self, value: Any, name: str) -> Setting:
        if name not in self.solvers:
            known = ", ".join(self.solvers)
            raise InputError(f"{self.path}: no solver '{name}'; name it under solvers ({known})")
        # NumPy's numbers are welcome, but files hold Python's.
        if self.solver.is_adaptive:
            fits = isinstance(value, Real) and 0 < float(value) < math.inf
            wanted = "a positive tolerance"
        else:
            fits = isinstance(value, Integral) and 0 < int(value) <= MOST_STEPS
            wanted = f"a whole number of steps, 1 to {MOST_STEPS}"
        if isinstance(value, bool) or not fits:
            raise InputError(f"{self.path}: {value!r} was chosen; choose {wanted}")
        plain = float(value) if self.solver.is_adaptive else int(value)
        return Setting.of(self.solvers[name], plain)

    def _plain(self, name: str, value: Any) -> Any:
        """What a checkpoint, which runs no code, keeps of a value: NumPy's numbers as Python's."""
        from torch import Tensor

        if isinstance(value, np.generic):
            return value.item()
        if type(value) in {list, tuple, set}:
            return type(value)(self._plain(name, item) for item in value)
        if type(value) is dict:
            return {self._plain(name, key): self._plain(name, value[key]) for key in value}
        if value is None or type(value) in {bool, int, float, str, bytes, Tensor}:
            return value
        raise InputError(
            f"{self.path}: no checkpoint keeps '{name}' with its {type(value).__name__}; make it "
            "numbers, texts, lists or dictionaries, or write state_dict and load_state_dict"
        )

    def _note(self, batch: Batch, setting: Setting) -> None:
        self.checks.append(
            Check(
                iteration=batch.iteration,
                seed=self.seed,
                step_size=1 / setting.steps if setting.steps else None,
                tolerance=setting.tolerance,
                steps=setting.steps,
                decision=_decision(self.chosen, setting),
                total_nfe=batch.total_nfe[0],
                monitoring_nfe=self.monitoring_nfe,
            )
        )


def _decision(before: Setting | None, after: Setting) -> Decision:
    if before is None or before == after:
        return "keep"
    finer = after.value < before.value if after.tolerance else after.value > before.value
    return "shrink" if finer else "grow"
