"""The columns of the audits of trained models."""

import math
from dataclasses import dataclass

from solverproof.evaluation.rows import Run

VERDICTS = ("PASS", "INCONCLUSIVE", "FAIL")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What the audit of one model finds; see `Audit`."""

    verdict: str | None = None
    kind: str | None = None
    accepted: float = math.nan
    samples: int | None = None
    disagreement: float = math.nan
    disagreement_low: float = math.nan
    disagreement_high: float = math.nan
    accuracy: float = math.nan
    accuracy_reference: float = math.nan
    accuracy_change: float = math.nan
    accuracy_change_low: float = math.nan
    accuracy_change_high: float = math.nan
    error_relative_median: float = math.nan
    error_relative_p95: float = math.nan
    error_relative_max: float = math.nan
    control_ratio_median: float = math.nan
    control_ratio_p95: float = math.nan
    control_ratio_max: float = math.nan
    uncontrolled: float = math.nan
    certified: float = math.nan
    growth_median: float = math.nan
    growth_p95: float = math.nan
    growth_max: float = math.nan
    stretching_median: float = math.nan
    stretching_p95: float = math.nan
    stretching_max: float = math.nan
    lipschitz: float = math.nan
    amplified: float = math.nan
    damped: float = math.nan
    crossing: float = math.nan
    folds: bool | None = None
    tried: int | None = None
    advised_solver: str | None = None
    advised_steps: int | None = None
    advised_tolerance: float | None = None
    advised_nfe: int | None = None
    status: str
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Audit(Measured, Run):
    """A row of `audits.csv`: the columns of `Run`, then those of the audit.

    What was not measured is empty: nearly all of a model that failed in training, or whose flow is
    not resolved.

    Attributes:
        verdict: `PASS`, `FAIL` or `INCONCLUSIVE`, of the training setting.
        kind: `ode`, `solver-bound` or `unresolved`.
        accepted: the share of samples that may miss the flow.
        samples: their number.
        disagreement, disagreement_low, disagreement_high: the share that do, with Clopper and
            Pearson's interval; of real values those whose output is farther off than 1 %.
        accuracy, accuracy_reference: with the training setting, and of the flow.
        accuracy_change, accuracy_change_low, accuracy_change_high: their difference, with
            Newcombe's interval for paired shares.
        error_relative_median, ...: of final states, over samples.
        control_ratio_median, ...: the share of its lead that a prediction loses, over samples.
        uncontrolled: share of samples that lose all of it or more; the others surely agree.
        certified: share of samples whose prediction provably is the flow's (linear head).
        growth_median, ...: the integral of the logarithmic norm along trajectories.
        stretching_median, ...: the exponent by which the worst small error at the start grows.
        lipschitz: the largest norm of the Jacobian that was met, a lower bound.
        amplified, damped: share of states where a step amplifies what the flow damps, and the
            reverse.
        crossing: with fewer steps of Euler's method neighbouring trajectories meet; 0 if none do.
        folds: whether a step of Euler's method is proved not to be one to one.
        tried: settings that were tried, its own included, to find what to deploy it with; None of a
            model for which none were.
        advised_solver, advised_steps, advised_tolerance, advised_nfe: the cheapest of them that is
            confirmed to follow the flow; empty where none is.
        status: `ok`; why training failed; `unresolved`; why the solver gave up; or `nonfinite`.
        reason: in a few more words; None where the status is `ok`.
    """
