"""A step size that follows its set-point while a model trains, and longer ones drawn beside it.

Every iteration is trained with a number of steps between N / `spread` and N, drawn uniformly in its
logarithm, so that the model cannot learn the error of one step size; never fewer than `FEWEST`. N
is as small as the set-point allows: now and then the batch is solved with N steps and with `FINER`
times as many, without labels, and the law moves N by how much that changes what is predicted.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from torch import Tensor

from solverproof.auditing.measures import OUTPUTS_SHARE, Standard, control_ratios, spread
from solverproof.control.draws import steps_between
from solverproof.control.law import Law, Move, State, follow, steps_of
from solverproof.ode.solvers import Setting, Solver

FEWEST = 2  # steps; of the models whose range held a single one some learned no more than that does
FINER = 4  # times the steps, which leave a quarter of the error at most
KINKS = 2  # the order that fields with kinks (ReLU) show at most, whatever the method
Outputs = Callable[[Setting], tuple[Tensor, int]]
"""The outputs of a batch under a setting, shape (samples, ...), and the evaluations they took."""
Test = Callable[[Setting, int], bool]
"""Whether a setting passes a test, counted from 1."""
Excess = Callable[[Tensor, Tensor], float]
"""What outputs differ from those of a finer step, over the set-point; see `excess_of`."""


@dataclass(frozen=True)
class Rule:
    """How a step size keeps to its set-point.

    Attributes:
        solver: a fixed-step solver.
        spread: the most steps that are drawn, over the fewest; 1 draws nothing.
        shortest, longest: iterations between two checks; see `follow`.
        most_steps: the largest N.
        constants: of the law, by name, where they are not the usual ones.
    """

    solver: Solver
    spread: float
    shortest: int
    longest: int
    most_steps: int
    constants: Mapping[str, Any] = field(default_factory=dict)

    @property
    def law(self) -> Law:
        """The law of this training."""
        order = min(self.solver.order, KINKS)
        finest = 1 / self.most_steps
        law = Law(order, finest, max(1 / FEWEST, finest), self.shortest, self.longest)
        return replace(law, **self.constants)


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
        setting: the finest that is drawn, before the check.
        finer: what it was held against.
        excess: what was measured, over the set-point.
        move: what followed.
        outputs, finer_outputs: of the batch under both.
        nfe: evaluations of the check.
    """

    setting: Setting
    finer: Setting
    excess: float
    move: Move
    outputs: Tensor
    finer_outputs: Tensor
    nfe: int


class SetPoint:
    """The step size of one training: its state, its checks and its draws.

    Args:
        rule: the set-point.
        size: the first step size, as a fraction of the interval.
        stream: seed of the draws.

    Attributes:
        tests: how often `confirm` was asked.
    """

    def __init__(self, rule: Rule, size: float, stream: int) -> None:
        self.rule, self.random = rule, np.random.default_rng(stream)
        self.law = rule.law
        self.state = State(min(self.law.coarsest, max(self.law.finest, size)))
        self.due_in = self.tests = 0

    @property
    def finest(self) -> Setting:
        """The most steps that are drawn, with which the model is meant to be deployed."""
        return Setting(self.rule.solver, steps=steps_of(self.state.size))

    def choose(self, outputs: Outputs, excess: Excess) -> tuple[Setting, Checked | None]:
        """The setting of the next iteration, after a check if one is due."""
        found = None
        if self.due_in <= 0:
            found = self._check(outputs, excess)
            self.due_in = self.state.wait
        self.due_in -= 1
        return self._drawn(), found

    def confirm(self, passes: Test) -> bool:
        """Whether the finest step passes a test where training would end."""
        answer = passes(self.finest, self.tests + 1)
        self.tests += 1
        return answer

    def refine(self) -> None:
        """Halve the step after a test that failed; it grows no more.

        By how much the test failed must not matter, see `confidence_of`.
        """
        self.state, _ = follow(self.law, self.state, math.inf)
        self.law, self.due_in = replace(self.law, coarsest=self.state.size), self.state.wait

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint: plain numbers."""
        random = self.random.bit_generator.state
        counts = {"due_in": self.due_in, "tests": self.tests}
        size = {"state": asdict(self.state), "coarsest": self.law.coarsest}
        return {**size, **counts, "random": random}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore such a state, under the rule that was given here."""
        self.law = replace(self.law, coarsest=min(self.law.coarsest, state["coarsest"]))
        self.state = State(**state["state"])
        self.due_in, self.tests = state["due_in"], state["tests"]
        self.random.bit_generator.state = state["random"]

    def _check(self, outputs: Outputs, excess: Excess) -> Checked:
        setting = self.finest
        assert setting.steps is not None  # the solver has equal steps
        finer = Setting(self.rule.solver, steps=FINER * setting.steps)
        (own, nfe), (fine, more) = outputs(setting), outputs(finer)
        # The finer step has an error of its own, of which the difference knows nothing.
        measured = excess(own, fine) / (1 - FINER**-self.law.order)
        self.state, move = follow(self.law, self.state, measured)
        return Checked(setting, finer, measured, move, own, fine, nfe + more)

    def _drawn(self) -> Setting:
        most = steps_of(self.state.size)
        fewest = min(most, max(FEWEST, math.ceil(most / self.rule.spread)))
        if fewest == most:
            return Setting(self.rule.solver, steps=most)
        return Setting(self.rule.solver, steps=steps_between(fewest, most, self.random))


def excess_of(standard: Standard, outputs: Tensor, finer: Tensor) -> float:
    """How much of what is accepted the outputs of a step size use up; above 1 it is too coarse.

    Of values it is the 95th percentile of their error over what is accepted. Of classes it is that
    of the control ratio over accept / 0.05. Near the border between two classes the leads of
    samples are spread evenly, so the share of samples with a ratio above r falls as 1/r: where 5 %
    are above accept / 0.05, about `accept` are above 1, which is where predictions may change. A
    batch shows the former long before it shows the latter.

    Args:
        standard: what is accepted.
        outputs: of a batch, shape (samples, ...).
        finer: of the same batch with a finer step.

    Returns:
        Infinite where an output is not finite.
    """
    if standard.classes:
        off, accepted = control_ratios(outputs, finer), standard.accept / OUTPUTS_SHARE
    else:
        off, accepted = standard.errors(outputs, finer), standard.accept
    found = spread(off)["p95"]
    return found / accepted if math.isfinite(found) else math.inf
