"""A set-point in anyone's training loop."""

import warnings
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from torch import Tensor

from solverproof.auditing.call import in_range, plain
from solverproof.auditing.checks import training_mode
from solverproof.auditing.measures import Compare, Standard
from solverproof.auditing.problem import Problem, State, problem
from solverproof.auditing.verdict import Agreement
from solverproof.control.guard import agreement, passed
from solverproof.control.set_point import Checked, Rule, SetPoint, excess_of
from solverproof.control.solving import aside, fixed_step_solver, in_odeint, solved
from solverproof.errors import InputError
from solverproof.ode.solvers import Setting, Solver


class StepController:
    """Chooses the solver's steps in every iteration of your own training loop.

    Ask it before the forward pass, and give torchdiffeq what it says:

        controller = StepController(field, head, solver="rk4")
        method, options = controller.setting(z0)
        end = odeint(field, z0, times, method=method, options=options)[-1]

    Every iteration gets a number of steps between N / `spread` and N. N is the smallest with which
    a finer step would change no more of the batch than is accepted, which is looked at now and
    then, without labels, gradients, or any change of the model. Deploy with N: `deployed`, once
    `confirm` says so on samples that the model was not trained with.

    Args:
        field: the right-hand side f(t, z), or f(z), while it trains.
        head: from end states to logits (samples, classes), or, with `compare`, to several values
            (samples, values); None: the end states are the values.
        solver: a fixed-step solver, by a name that `audit` knows.
        interval: first and last time.
        accept: the share of predictions that a finer step may change; of values the relative error
            that 95 % of them may have.
        compare: the error of values against those of a finer step, one number per sample, as for
            `audit`; `solverproof.relative_error` for a head of several values.
        spread: the most steps that are drawn, over the fewest, which are two at least; 1 draws
            nothing.
        first_steps: N at the start.
        most_steps: the largest N.
        shortest, longest: iterations between two checks, after one that failed and while all is
            well.
        seed: of the draws.

    Attributes:
        nfe: evaluations of all solves of checks and tests.
        drawn: the setting of the last iteration.
        last: what the last check found; None before the first.
        agreement: how the model agreed with its flow at the last `confirm`; None before it, or if
            the flow was not resolved.

    It warns where N would have to be larger than `most_steps`.

    Raises:
        InputError: if something given cannot be used, here or at the first batch.
    """

    def __init__(
        self,
        field: Callable[..., Any],
        head: Callable[..., Any] | None = None,
        *,
        solver: str | Solver = "rk4",
        interval: tuple[float, float] = (0.0, 1.0),
        accept: float = 0.01,
        compare: Compare | None = None,
        spread: float = 4,
        first_steps: int = 8,
        most_steps: int = 500,
        shortest: int = 50,
        longest: int = 400,
        seed: int = 0,
    ) -> None:
        self.solver = fixed_step_solver("solver", solver)
        accept, spread, first_steps, most_steps, shortest, longest = map(
            plain, (accept, spread, first_steps, most_steps, shortest, longest)
        )
        in_range("accept", accept, 0, 1)
        counts = {
            "first_steps": first_steps, "most_steps": most_steps,
            "shortest": shortest, "longest": longest,
        }  # fmt: skip
        for name, value in counts.items():
            if not (isinstance(value, int) and value >= 1):
                raise InputError(f"{name} is {value!r}; give a whole number of 1 or more")
        if not (isinstance(spread, (int, float)) and spread >= 1):
            raise InputError(f"spread is {spread!r}; give a number of 1 or more")
        if first_steps > most_steps or shortest > longest:
            raise InputError(
                f"steps are {first_steps} to {most_steps}, checks {shortest} to {longest} apart; "
                "give the smaller number first"
            )
        self.field, self.head, self.interval = field, head, interval
        self.accept, self.compare = accept, compare
        rule = Rule(self.solver, spread, shortest, longest, most_steps)
        self.point = SetPoint(rule, 1 / first_steps, seed)
        self.nfe = 0
        self.drawn = self.point.finest
        self.last: Checked | None = None
        self.agreement: Agreement | None = None

    @property
    def deployed(self) -> Setting:
        """The setting to deploy the model with, and to audit it with: `.solver.name`, `.steps`."""
        return self.point.finest

    def setting(self, z0: State) -> tuple[str, dict[str, Any]]:
        """The method and the options of `odeint` for the next iteration.

        Args:
            z0: the batch's initial states, a tensor (samples, ...) or a tuple of such tensors.
        """
        # Made where a check is due, once for both of its solves.
        model = cache(partial(problem, self.field, z0, self.interval, self.head))
        self.drawn, found = self.point.choose(partial(_outputs, model, z0), self._excess)
        if found:
            self.nfe, self.last = self.nfe + found.nfe, found
            if found.move == "finest":
                told = f"{found.setting.words} is too coarse, and most_steps allows no more"
                warnings.warn(told, stacklevel=2)
        return in_odeint(self.drawn)

    def coarser(self) -> tuple[str, dict[str, Any]]:
        """Method and options with half as many steps as the last setting; two for a single step.

        For a penalty on what they change, which keeps the field gentle and the steps few.
        """
        return in_odeint(self.drawn.coarser())

    def confirm(self, z0: State) -> bool:
        """Whether the model as deployed agrees with its flow, where training would end.

        It is the question of an audit, at a confidence that rises from call to call, so that the
        chance that any of them says yes wrongly is 5 % at most. After a no the step is half as
        long, if `most_steps` allow: go on training, and ask again with the same samples.

        Args:
            z0: initial states of samples that the model was not trained with, as for `setting`;
                with 1 % accepted the first call takes 437 at least, the third 574, and each further
                one some 70 more.

        Raises:
            InputError: if there are too few for any model to pass, or a layer is in training mode.
        """
        if self.point.confirm(partial(self._passes, z0)):
            return True
        before = self.deployed
        self.point.refine()
        if self.deployed == before:
            told = f"{before.words} did not pass, and most_steps allows no more"
            warnings.warn(told, stacklevel=2)
        return False

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint: numbers alone."""
        return {"point": self.point.state_dict(), "nfe": self.nfe}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore such a state."""
        self.point.load_state_dict(state["point"])
        self.nfe = state["nfe"]

    def _passes(self, z0: State, setting: Setting, test: int) -> bool:
        with aside(z0):
            model = problem(self.field, z0, self.interval, self.head)
            if not (mode := training_mode(model)).ok:
                raise InputError(mode.sentence)
            standard = self._standard(model.outputs(model.flat_start()))
            self.agreement, nfe = agreement(model, model.in_double(), setting, standard, test)
        self.nfe += nfe
        return passed(self.agreement)

    def _excess(self, own: Tensor, finer: Tensor) -> float:
        return excess_of(self._standard(own), own, finer)

    def _standard(self, outputs: Tensor) -> Standard:
        logits = self.head is not None and outputs.dim() == 2 and outputs.shape[1] > 1
        return Standard(self.accept, logits and self.compare is None, self.compare)


def _outputs(model: Callable[[], Problem], z0: State, setting: Setting) -> tuple[Tensor, int]:
    found = solved(model, z0, setting)
    return found.outputs, found.nfe
