"""What an audit returns."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from solverproof.ode.solvers import Setting

Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE"]
Kind = Literal["ode", "solver-bound", "unresolved"]
Flow = Literal["flow"]
"""Trained without a solver, as by flow matching: the model is its flow, whatever solves it."""
Judged = Literal["predictions", "values"]
"""What is held against the flow's: classes that are predicted, or what the head makes."""


@dataclass(frozen=True)
class Advice:
    """The cheapest safe setting.

    Attributes:
        setting: the solver and its number of steps or tolerance.
        nfe: its evaluations.
        call: the line to paste, which solves as it was measured.
    """

    setting: Setting
    nfe: int
    call: str

    @property
    def solver(self) -> str:
        """Name of the solver."""
        return self.setting.solver.name

    @property
    def steps(self) -> int | None:
        """Number of steps of a fixed-step solver."""
        return self.setting.steps

    @property
    def tolerance(self) -> float | None:
        """Tolerance of an adaptive one, relative and, without `atol`, absolute."""
        return self.setting.tolerance

    @property
    def atol(self) -> float | None:
        """Its absolute tolerance, where that is another than the relative one."""
        return self.setting.atol


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A row of `settings`: one setting against the reference, over all samples.

    Errors are distances of final states, absolute and relative to the reference's norm; without a
    head, and with a comparison of the user's own, `disagreement` is the share of samples whose
    output is farther off than accepted.

    Attributes:
        solver: name of the solver.
        steps, tolerance: whichever it has.
        atol: the absolute tolerance, where that is another than the relative one.
        deployed: whether it is the deployed setting.
        nfe: evaluations of the field; of batches the most that any took.
        seconds_per_sample: wall time of the solve, divided by the number of samples.
        disagreement, disagreement_low, disagreement_high: share of samples whose prediction is not
            the reference's, with Clopper and Pearson's interval.
        error_absolute_median, ..., error_relative_max: of the final states.
        certified: share of samples whose prediction provably is the reference's (linear head).
        safe: whether the interval lies below what is accepted.
        pareto: whether no setting is cheaper and agrees as well.
        status: `ok`, or one word for what failed.
        reason: what failed; None if nothing did.
    """

    solver: str
    steps: int | None
    tolerance: float | None
    atol: float | None
    deployed: bool
    nfe: int
    seconds_per_sample: float
    disagreement: float
    disagreement_low: float
    disagreement_high: float
    error_absolute_median: float
    error_absolute_p95: float
    error_absolute_max: float
    error_relative_median: float
    error_relative_p95: float
    error_relative_max: float
    certified: float
    safe: bool
    pareto: bool
    status: str
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class AuditResult:
    """The answer to two questions: is the deployed setting faithful, and what is this model?

    Attributes:
        verdict: whether the deployed setting agrees with the model's flow as well as was accepted.
        kind: `ode`, `solver-bound` or `unresolved`.
        judged: `predictions` of classes, or `values`.
        reasons: sentences with numbers, the weightiest first.
        deployed: the setting that was audited.
        trained: the setting that the model was trained with, or "flow", as it was told; None if it
            was not: then the deployed one is taken for it.
        accept: what was accepted: the share of predictions that may differ (with a head), or the
            error that the output may have at the 95th percentile.
        confidence: of all intervals.
        samples: their number.
        disagreement, disagreement_interval: share of samples that miss the reference; NaN where it
            is not resolved.
        measures: what else was measured; see `docs/methods.md`.
        settings: one row for each setting that was tried, in the columns of `Candidate`.
        advice: the cheapest safe setting; None if none was found.
        per_sample: columns of equal length, one value for each sample: `prediction`,
            `reference_prediction`, `error_absolute`, `error_relative`, `margin`, `control_ratio`,
            `reference_distance`, `agrees`.
        provenance: versions, machine, times, hashes.
    """

    verdict: Verdict
    kind: Kind
    judged: Judged
    reasons: list[str]
    deployed: Setting
    accept: float
    confidence: float
    samples: int
    disagreement: float
    disagreement_interval: tuple[float, float]
    measures: dict[str, Any]
    settings: pd.DataFrame
    advice: Advice | None
    per_sample: dict[str, np.ndarray] = field(repr=False)
    trained: Setting | Flow | None = None
    provenance: dict[str, Any] = field(repr=False, default_factory=dict)
