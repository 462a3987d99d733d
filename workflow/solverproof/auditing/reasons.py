"""The reasons of a verdict: sentences with numbers, the weightiest first."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from solverproof.auditing.call import Call
from solverproof.auditing.checks import Check
from solverproof.auditing.verdict import Agreement

GROWN = 3.0  # from which on e to this power, a factor of 20, is told as a cause of errors
MISMATCHED = 0.01  # share of states from which on a mechanism is told


def reasons(
    call: Call,
    own: Agreement,
    trained: Agreement | None,
    measures: Mapping[str, Any],
    looked_at: Sequence[Check],
) -> list[str]:
    """All reasons of an audit whose flow is resolved."""
    return [
        _agreement("As deployed", own, call),
        *([_agreement("As trained", trained, call)] if trained else []),
        *_accuracy(measures.get("labels") or {}),
        *(check.sentence for check in looked_at if not check.ok),
        *_growth(measures.get("growth") or {}),
        *_mechanism(measures.get("mechanism") or {}),
        *_order(measures.get("order") or {}),
    ]


def _agreement(how: str, found: Agreement, call: Call) -> str:
    far = f"outputs are farther off the flow's than {call.standard.accept:g}"
    what = "predictions are not the flow's" if call.standard.classes else far
    ends = f"{100 * found.low:.2g} to {100 * found.high:.2g} % at {call.confidence:.0%} confidence"
    few = ""
    if found.verdict == "INCONCLUSIVE":
        few = "; that does not decide it: give more samples"
    share = f"{100 * found.share:.2g} % of {call.problem.samples:,}"
    return (
        f"{how}, with {found.name}, {share} {what} ({ends}); "
        f"accepted are {100 * found.accepted:g} %{few}."
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
