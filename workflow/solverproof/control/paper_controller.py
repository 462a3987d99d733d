"""The paper's rule in anyone's training loop."""

import math
from collections.abc import Callable
from functools import cache, partial
from numbers import Real
from typing import Any

from torch import Tensor

from solverproof.auditing.call import plain
from solverproof.auditing.problem import Problem, State, problem
from solverproof.control.measurement import Measurement
from solverproof.control.paper_rule import Adaptation, Checked, Rule
from solverproof.control.solving import aside, fixed_step_solver, in_odeint, solved
from solverproof.errors import InputError
from solverproof.models.losses import seed_scores
from solverproof.ode.initial_step import initial_step
from solverproof.ode.solvers import Setting, Solver


class PaperController:
    """The paper's rule for the step size, in your own training loop.

    It is asked as a `StepController` is, and with the labels of the batch:

        controller = PaperController(field, head, solver="euler", test_solver="midpoint")
        method, options = controller.setting(z0, labels)
        end = odeint(field, z0, times, method=method, options=options)[-1]

    Now and then the accuracy on the batch is compared with that under a more accurate solver. If
    they differ by more than the threshold the step shrinks, else a longer one is tried. The model
    may end as none that is an ODE: `audit` it.

    Source: Ott et al. 2021, section 4, step adaptation algorithm.

    Args:
        field: the right-hand side f(t, z), or f(z), while it trains.
        head: from end states to logits (samples, classes), or to values; None: the end states are
            the values. The targets say which.
        solver: a fixed-step solver, by a name that `audit` knows.
        test_solver: one of higher order.
        interval: first and last time.
        threshold: the largest accepted difference of two accuracies; of the errors of values the
            largest relative one.
        every: iterations between two checks.
        shrink, grow: factors of the step size.
        first_steps: their number at the start; None: by Hairer's procedure, at the first batch.
        most_steps: the largest number.

    Attributes:
        nfe: evaluations of all solves of checks, and of the first step size.
        last: what the last check found; None before the first.

    Raises:
        InputError: if something given cannot be used, here or at a batch.
    """

    def __init__(
        self,
        field: Callable[..., Any],
        head: Callable[..., Any] | None = None,
        *,
        solver: str | Solver = "euler",
        test_solver: str | Solver = "midpoint",
        interval: tuple[float, float] = (0.0, 1.0),
        threshold: float = 0.1,
        every: int = 50,
        shrink: float = 0.5,
        grow: float = 1.1,
        first_steps: int | None = None,
        most_steps: int = 500,
    ) -> None:
        own = fixed_step_solver("solver", solver)
        test = fixed_step_solver("test_solver", test_solver)
        if test.order <= own.order:
            wanted = f"give one of order above {own.order}"
            raise InputError(f"test_solver {test.name} is no better than {own.name}; {wanted}")
        threshold, every, shrink, grow, first_steps, most_steps = map(
            plain, (threshold, every, shrink, grow, first_steps, most_steps)
        )
        first = 1 if first_steps is None else first_steps
        numbers = {
            "threshold": threshold, "every": every, "shrink": shrink, "grow": grow,
            "first_steps": first, "most_steps": most_steps,
        }  # fmt: skip
        for name, number in numbers.items():
            if not isinstance(number, Real):
                raise InputError(f"{name} is {number!r}; give a number")
        for name, value, fits, wanted in (
            ("most_steps", most_steps, most_steps >= 1, "1 or more"),
            ("threshold", threshold, threshold >= 0, "0 or more"),
            ("every", every, every >= 1, "1 or more"),
            ("shrink", shrink, 0 < shrink < 1, "a number between 0 and 1"),
            ("grow", grow, grow > 1, "a number above 1"),
            ("first_steps", first_steps, 1 <= first <= most_steps, f"1 to {most_steps}, or None"),
        ):
            if not fits:
                raise InputError(f"{name} is {value!r}; give {wanted}")
        self.field, self.head, self.interval, self.every = field, head, interval, every
        self.adaptation = Adaptation(Rule(threshold, shrink, grow, 1 / most_steps), own, test)
        if first_steps is not None:
            self.adaptation.start(1 / first_steps)
        self.iteration = self.nfe = 0
        self.last: Checked | None = None

    @property
    def deployed(self) -> Setting:
        """The setting to deploy the model with, and to audit it with: `.solver.name`, `.steps`."""
        if math.isnan(self.adaptation.size):
            raise InputError("there is no step size yet; ask for a setting first")
        return self.adaptation.setting

    def setting(self, z0: State, targets: Tensor) -> tuple[str, dict[str, Any]]:
        """The method and the options of `odeint` for the next iteration.

        Args:
            z0: the batch's initial states, a tensor (samples, ...) or a tuple of such tensors.
            targets: its labels (samples,); or values (samples, outputs).
        """
        if not isinstance(targets, Tensor):
            raise InputError(f"targets are of type {type(targets).__name__}; give a tensor")
        # Made where it is needed, once for all solves.
        model = cache(partial(problem, self.field, z0, self.interval, self.head))
        if math.isnan(self.adaptation.size):
            self.adaptation.start(self._first_size(model, z0))
        self.iteration += 1
        if self.iteration % self.every == 0:
            measured = partial(self._measured, model, z0, targets)
            self.last = self.adaptation.check(measured, values=targets.is_floating_point())
        return in_odeint(self.adaptation.setting)

    def coarser(self) -> tuple[str, dict[str, Any]]:
        """Method and options with half as many steps, as of a `StepController`."""
        return in_odeint(self.deployed.coarser())

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint: numbers alone."""
        counts = {"iteration": self.iteration, "nfe": self.nfe}
        return {"adaptation": self.adaptation.state_dict(), **counts}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore such a state."""
        self.adaptation.load_state_dict(state["adaptation"])
        self.iteration, self.nfe = state["iteration"], state["nfe"]

    def _first_size(self, copied: Callable[[], Problem], z0: State) -> float:
        with aside(z0):
            model = copied()
            size, nfe = initial_step(
                model.flat_field(), model.flat_start(), self.adaptation.solver.order
            )
        self.nfe += nfe
        return size

    def _measured(
        self, model: Callable[[], Problem], z0: State, targets: Tensor, setting: Setting
    ) -> Measurement:
        found = solved(model, z0, setting)
        self.nfe += found.nfe
        score = math.nan if found.steps is None else _score(found.outputs, targets)
        return Measurement(setting, score, found.nfe)


def _score(outputs: Tensor, targets: Tensor) -> float:
    """The accuracy of a batch, or the error of values."""
    values = targets.is_floating_point()
    if targets.shape != (outputs.shape if values else outputs.shape[:-1]) or outputs.dim() != 2:
        shapes = f"outputs have shape {tuple(outputs.shape)}, targets {tuple(targets.shape)}"
        raise InputError(f"{shapes}; give labels (samples,), or values (samples, outputs)")
    return seed_scores(outputs.unsqueeze(0), targets.unsqueeze(0)).item()
