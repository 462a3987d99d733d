"""The reasons of a verdict: sentences with numbers, the weightiest first."""

from __future__ import annotations  # what writes pages takes its words from here, without torch

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from solverproof.auditing.call import Call
    from solverproof.auditing.checks import Check
    from solverproof.auditing.result import Flow
    from solverproof.auditing.verdict import Agreement

GROWN = 3.0  # from which on e to this power, a factor of 20, is told as a cause of errors
MISSING = "–"
MISMATCHED = 0.01  # share of states from which on a mechanism is told


def reasons(
    call: Call,
    own: Agreement,
    trained: Agreement | Flow | None,
    measures: Mapping[str, Any],
    looked_at: Sequence[Check],
) -> list[str]:
    """All reasons of an audit whose flow is resolved."""
    return [
        _agreement("As deployed", own, call),
        *_silence("As deployed", own),
        *_training(trained, call),
        *_accuracy(measures.get("labels") or {}),
        *(check.sentence for check in looked_at if not check.ok),
        *_growth(measures.get("growth") or {}),
        *_mechanism(measures.get("mechanism") or {}),
        *_order(measures.get("order") or {}),
    ]


def percent(share: float | None) -> str:
    """A share in percent: two decimals below 1 %, one above; 0 and 100 are none and all."""
    if share is None or math.isnan(share):
        return MISSING
    value = 100 * share
    if value in {0, 100}:
        return f"{value:.0f}"
    if value < 0.005:
        return "<0.01"
    if value >= 99.95:
        return ">99.9"
    return f"{value:.2f}" if value < 0.995 else f"{value:.1f}"


def _training(trained: Agreement | Flow | None, call: Call) -> Iterator[str]:
    if trained == "flow":
        yield "The field itself was trained, without a solver: what was learned is the flow."
    elif trained:
        yield _agreement("As trained", trained, call)
        yield from _silence("As trained", trained)


def _agreement(how: str, found: Agreement, call: Call) -> str:
    far = f"outputs are farther off the flow's than {call.standard.accept:g}"
    what = "predictions are not the flow's" if call.standard.classes else far
    ends = f"{percent(found.low)} to {percent(found.high)} % at {call.confidence:.0%} confidence"
    few = ""
    if found.verdict == "INCONCLUSIVE":
        few = ", which is undecided: give more samples"
        if found.unknown > found.accepted:
            few = f"; of {percent(found.unknown)} % the flow ends too near a tie to tell"
    share = f"{percent(found.share)} % of {call.problem.samples:,}"
    return (
        f"{how}, with {found.name}, {share} {what} ({ends}); "
        f"accepted are {100 * found.accepted:g} %{few}."
    )


def _silence(how: str, found: Agreement) -> Iterator[str]:
    if found.silent:
        yield (
            f"{how}, {percent(found.silent)} % of the samples get no finite output "
            f"({found.why}), which counts as unlike the flow's; what the model learned is not to "
            "be told from them."
        )


def _accuracy(found: Mapping[str, float]) -> Iterator[str]:
    if not found:
        return
    low, high = 100 * found["change_low"], 100 * found["change_high"]
    yield (
        f"The accuracy is {100 * found['deployed']:.1f} % as deployed and "
        f"{100 * found['reference']:.1f} % as an ODE: a difference of "
        f"{100 * found['change']:+.1f} points ({low:+.1f} to {high:+.1f})."
    )


def _growth(found: Mapping[str, Any]) -> Iterator[str]:
    power = (found.get("stretching") or found.get("integral") or {}).get("median", 0.0)
    if power > GROWN:
        yield (
            f"Errors made early may grow by a factor of e^{power:.1f} (median over samples): the "
            "field makes them large, not the size of a step."
        )


def _mechanism(found: Mapping[str, Any]) -> Iterator[str]:
    told = {
        "amplified": "amplifies what the flow damps",
        "damped": "damps what the flow amplifies",
    }
    for name, what in told.items():
        share = (found.get(name) or {}).get("states", 0.0)
        if share > MISMATCHED:
            yield f"At {share:.0%} of the states the solver {what}."


def _order(found: Mapping[str, Any]) -> Iterator[str]:
    order, note = found.get("observed"), found.get("note")
    if order is not None:
        yield f"Errors fall with order {order:.1f} where the step size is small."
    elif note == "not asymptotic":
        yield "Errors do not fall at a steady rate as the step size is halved."
