"""What an end state, an output or a prediction under a solver is off the reference's."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from solverproof.auditing.reference import norms_of
from solverproof.errors import InputError
from solverproof.models.losses import predicted
from solverproof.user_code import guarded

Compare = Callable[[Tensor, Tensor], Tensor]
"""The user's error of outputs against those of the reference, one number for each sample."""
OUTPUTS_SHARE = 0.05  # of samples whose output may be farther off than accepted: 95th percentile
CONVERGED, FOREMOST = 100.0, 3  # errors above the reference's own; halvings that make an order
STEADY = 0.3  # by which two slopes of one order may differ


@dataclass(frozen=True)
class Standard:
    """When a sample misses the reference, and what share of the samples may.

    Attributes:
        accept: the share of predictions that may differ; without classes the error of the output
            that is accepted.
        classes: whether the outputs are logits of classes.
        compare: the user's own error of outputs; None: relative to the reference's output.
        parts: of end states that are judged themselves, how many features each of a tuple has. The
            error is that of the part which is farthest off: in one sum a large one hides the rest.
    """

    accept: float
    classes: bool
    compare: Compare | None = None
    parts: tuple[int, ...] = ()

    @property
    def share(self) -> float:
        """The share of samples that may miss."""
        return self.accept if self.classes else OUTPUTS_SHARE

    def misses(self, outputs: Tensor, reference: Tensor) -> Tensor:
        """Whether each sample misses the reference, shape (samples,)."""
        if self.classes:
            return predicted(outputs) != predicted(reference)
        # `not <=`, so that an error that is no number is a miss
        return ~(self.errors(outputs, reference) <= self.accept)

    def errors(self, outputs: Tensor, reference: Tensor) -> Tensor:
        """The error of each sample's output, shape (samples,).

        Raises:
            InputError: if the user's function fails, or returns anything else.
        """
        if self.compare is not None:
            with guarded("compare"):
                given = self.compare(outputs.to(reference.dtype), reference)
            if not isinstance(given, Tensor) or given.shape != (len(outputs),):
                raise InputError("compare: give a function that returns an error for each sample")
            if (given < 0).any():
                raise InputError("compare: an error is below 0; give its absolute value")
            return given
        if not self.parts:
            return relative_error(outputs, reference)
        pieces = (torch.split(made, list(self.parts), dim=1) for made in (outputs, reference))
        return torch.stack([relative_error(*pair) for pair in zip(*pieces, strict=True)]).amax(0)


def relative_error(outputs: Tensor, reference: Tensor) -> Tensor:
    """Distance of each sample's output from the reference's, relative to the latter's norm.

    It is what an audit compares values by: `compare=relative_error` says that what a head makes
    are values, and no logits of classes. Where the reference vanishes it is the distance itself.

    Args:
        outputs: shape (samples, ...).
        reference: of the same shape.

    Returns:
        Shape (samples,), in float64; infinite where an output is not a number.
    """
    return relative(distances(outputs, reference), reference)


def distances(one: Tensor, other: Tensor) -> Tensor:
    """Euclidean distance of each sample's values, in float64, shape (samples,)."""
    apart = (one.double() - other.double()).reshape(len(one), -1)
    return norms_of(apart).nan_to_num(nan=math.inf, posinf=math.inf)


def relative(distance: Tensor, reference: Tensor, least: float = 0.0) -> Tensor:
    """Distances relative to the norms of the reference's values; absolute where those vanish.

    Args:
        distance: shape (samples,).
        reference: shape (samples, ...).
        least: norms that are less count as this.
    """
    norms = norms_of(reference.double().reshape(len(reference), -1)).clamp(min=least)
    return distance / norms.where(norms > 0, 1.0)


def spread(values: Tensor) -> dict[str, float]:
    """Median, 95th percentile and largest of one value per sample; infinite ones included."""
    ordered = values.double().sort().values.tolist()
    at = {"median": 0.5, "p95": 0.95, "max": 1.0}
    return {name: ordered[math.ceil(q * len(ordered)) - 1] for name, q in at.items()}


def control_ratios(logits: Tensor, reference: Tensor) -> Tensor:
    """How much of its lead a prediction of the reference loses under a solver, shape (samples,).

    With g_k the lead of the reference's class c over class k, it is the largest of
    |g_k(z_h) - g_k(z*)| / g_k(z*). Below 1 the predictions are the same.
    """
    best = reference.argmax(1, keepdim=True)
    lead = reference.gather(1, best) - reference
    change = (logits.gather(1, best) - logits - lead).abs()
    ratio = torch.where(lead > 0, change / lead, math.inf)
    # the class itself has neither a lead nor a change
    return ratio.scatter(1, best, 0.0).amax(1).nan_to_num(nan=math.inf, posinf=math.inf)


def observed_order(
    step_sizes: np.ndarray, errors: np.ndarray, floor: float, most: float
) -> dict[str, Any]:
    """The slope of log error against log step size, where errors are asymptotic.

    Used are step sizes below `most` whose error is above a hundred times `floor`, at least four,
    each half of the one before. A field with kinks shows at most order 2, whatever the method.

    Args:
        step_sizes: descending by halves, shape (n,).
        errors: root mean squares over samples of the distance of end states from the reference.
        floor: the reference's own error, or that of rounding.
        most: the largest step size that counts.

    Returns:
        `observed`, None where there is none, `slopes` between neighbours, the `step_sizes` and
        `errors` used, and `note`: None, `too few` or `not asymptotic`.
    """
    used = (step_sizes <= most) & (errors > CONVERGED * floor) & np.isfinite(errors)
    h, e = step_sizes[used], errors[used]
    shown = {"step_sizes": h.tolist(), "errors": e.tolist()}
    if len(h) <= FOREMOST:
        return {"observed": None, "slopes": [], "note": "too few", **shown}
    slopes = np.diff(np.log(e)) / np.diff(np.log(h))
    steady = np.abs(np.diff(slopes)).max() <= STEADY
    order = float(np.polyfit(np.log(h), np.log(e), 1)[0]) if steady else None
    note = None if steady else "not asymptotic"
    return {"observed": order, "slopes": slopes.tolist(), "note": note, **shown}
