"""Settings held against the flow: rows of the table, and how many samples miss."""

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from solverproof.auditing.call import Call
from solverproof.auditing.deployment import Deployed, deploy
from solverproof.auditing.flow import Flow
from solverproof.auditing.intervals import paired_interval, share_interval
from solverproof.auditing.measures import control_ratios, distances, relative, spread
from solverproof.auditing.reference import margins
from solverproof.auditing.result import Candidate
from solverproof.auditing.verdict import Agreement
from solverproof.models.losses import predicted
from solverproof.ode.solvers import Setting


@dataclass(frozen=True)
class Solved:
    """A setting that was tried, held against the flow.

    Attributes:
        setting: the setting.
        run: what it made of the samples.
        distance: of its end states from the reference's, shape (samples,).
        misses: whether each sample misses the reference, shape (samples,).
    """

    setting: Setting
    run: Deployed
    distance: Tensor
    misses: Tensor


class Judge:
    """Holds settings against the flow of one model."""

    def __init__(self, call: Call, flow: Flow) -> None:
        self.call, self.flow = call, flow
        self.state, self.epsilon = flow.reference.state, flow.reference.distance
        self.margin = self._margin()

    def run(self, setting: Setting) -> Solved:
        """Solve with a setting and hold the result against the flow."""
        return self.of(setting, deploy(self.call.problem, setting, self.call.batch_size))

    def of(self, setting: Setting, run: Deployed) -> Solved:
        """What a setting made of the samples, held against the flow, on the latter's device."""
        run = run.moved(self.state.device)
        distance = distances(run.states, self.state)
        return Solved(
            setting,
            run,
            distance,
            self.call.standard.misses(run.outputs, self.flow.reference.outputs),
        )

    def agreement(self, solved: Solved, chosen: Any = slice(None)) -> Agreement:
        """How many samples miss, with an interval that allows for samples without a reference.

        A sample whose flow ends at a tie may agree with it; whether it misses is not known.

        Args:
            solved: the setting.
            chosen: the samples that count.
        """
        misses, flow = solved.misses[chosen], self.flow.reference
        known = flow.resolved[chosen]
        if flow.sure is not None:
            known = known & (flow.sure[chosen] | ~misses)
        confidence = self.call.confidence
        low, _ = share_interval(int((misses & known).sum()), len(misses), confidence)
        _, high = share_interval(int((misses | ~known).sum()), len(misses), confidence)
        return Agreement(
            name=solved.setting.words,
            share=misses.double().mean().item(),
            low=low,
            high=high,
            accepted=self.call.standard.share,
            unknown=1 - known.double().mean().item(),
            silent=1 - solved.run.predicts[chosen].double().mean().item(),
            why=solved.run.reason,
        )

    def row(self, solved: Solved) -> Candidate:
        """The row of a setting; `pareto` is set where all are known."""
        run, agreement = solved.run, self.agreement(solved)
        absolute, off = spread(solved.distance), spread(relative(solved.distance, self.state))
        return Candidate(
            solver=solved.setting.solver.name,
            steps=solved.setting.steps,
            tolerance=solved.setting.tolerance,
            atol=solved.setting.atol,
            deployed=solved.setting == self.call.setting,
            nfe=run.nfe,
            seconds_per_sample=run.seconds / self.call.problem.samples,
            disagreement=agreement.share,
            disagreement_low=agreement.low,
            disagreement_high=agreement.high,
            **{f"error_absolute_{name}": value for name, value in absolute.items()},
            **{f"error_relative_{name}": value for name, value in off.items()},
            certified=self.certified(solved),
            safe=agreement.verdict == "PASS",
            pareto=False,
            status=run.status,
            reason=run.reason,
        )

    def certified(self, solved: Solved) -> float:
        """Share of samples whose prediction provably is the flow's; NaN without a linear head.

        With e the error of the end state, d the margin and epsilon the reference's own error, it
        is where e + epsilon < d - epsilon: no end state so near can be on the other side.
        """
        if self.margin is None:
            return math.nan
        sure = solved.distance + self.epsilon < self.margin - self.epsilon
        return sure.double().mean().item()

    def margins(self, solved: Solved) -> dict[str, Any]:
        """Margins, control ratios, and what they certify of a setting; empty without classes."""
        if not self.call.standard.classes:
            return {}
        ratios = control_ratios(solved.run.outputs.double(), self.flow.reference.outputs)
        found: dict[str, Any] = {
            "control_ratio": spread(ratios),
            "controlled": (ratios < 1).double().mean().item(),
        }
        if self.margin is not None:
            found |= {"margin": spread(self.margin), "certified": self.certified(solved)}
        return found

    def accuracy(self, solved: Solved) -> dict[str, Any]:
        """Accuracies of a setting and of the flow, and their difference; empty without labels.

        `change` is that of the setting minus that of the flow.
        """
        if self.call.labels is None:
            return {}
        right = predicted(solved.run.outputs) == self.call.labels
        flow_right = predicted(self.flow.reference.outputs) == self.call.labels
        both, lost, won, neither = (
            int((a & b).sum()) for a in (right, ~right) for b in (flow_right, ~flow_right)
        )
        low, high = paired_interval(both, lost, won, neither, self.call.confidence)
        of = len(right)
        return {
            "deployed": int(right.sum()) / of,
            "reference": int(flow_right.sum()) / of,
            "change": (int(right.sum()) - int(flow_right.sum())) / of,
            "change_low": low,
            "change_high": high,
        }

    def per_sample(self, solved: Solved) -> dict[str, Any]:
        """One value for each sample, in the columns of `samples.csv`."""
        off = relative(solved.distance, self.state)
        found = {
            "agrees": ~solved.misses,
            "error_absolute": solved.distance,
            "error_relative": off,
            "reference_distance": self.epsilon,
            "resolved": self.flow.reference.resolved,
        }
        if self.call.standard.classes:
            found["prediction"] = predicted(solved.run.outputs)
            found["reference_prediction"] = predicted(self.flow.reference.outputs)
            found["control_ratio"] = control_ratios(
                solved.run.outputs.double(), self.flow.reference.outputs
            )
        if self.margin is not None:
            found["margin"] = self.margin
        return {name: values.cpu().numpy() for name, values in found.items()}

    def _margin(self) -> Tensor | None:
        weight = _linear_weight(self.flow.problem.head)
        if weight is None or not self.call.standard.classes:
            return None
        return margins(weight.double(), self.flow.reference.outputs)


def _linear_weight(head: Any) -> Tensor | None:
    """The matrix of a head that is one linear layer on the flattened state; None of any other."""
    parts = (
        [part for part in head if not isinstance(part, nn.Flatten)]
        if (isinstance(head, nn.Sequential))
        else [head]
    )
    if len(parts) == 1 and isinstance(parts[0], nn.Linear):
        return parts[0].weight.detach()
    return None
