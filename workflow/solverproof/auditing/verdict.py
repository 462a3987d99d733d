"""Two questions: is the deployed setting faithful, and what kind of model is it?"""

from dataclasses import dataclass

from solverproof.auditing.result import Flow, Kind, Verdict


@dataclass(frozen=True)
class Agreement:
    """How many samples of a setting miss the reference.

    Attributes:
        name: of the setting, in words.
        share, low, high: of samples that miss, with its interval.
        accepted: the share that may.
        unknown: share of samples of which it is not known whether they miss.
        silent: share of samples without an output, which miss: the solver gave up, or what it made
            is not finite.
        why: what happened there, in a few words; None if nothing did.
    """

    name: str
    share: float
    low: float
    high: float
    accepted: float
    unknown: float = 0.0
    silent: float = 0.0
    why: str | None = None

    @property
    def verdict(self) -> Verdict:
        """PASS if surely no more than accepted, FAIL if surely more, else INCONCLUSIVE."""
        # `<=` and `>` are false for NaN: what is not known is inconclusive.
        if self.high <= self.accepted:
            return "PASS"
        return "FAIL" if self.low > self.accepted else "INCONCLUSIVE"


def kind_of(deployed: Agreement | None, trained: Agreement | Flow | None) -> Kind:
    """What a model is, by the setting it was trained with, where that is known, else as deployed.

    A run that gave up predicts nothing, so it fails; but it does not tell what was learned.

    Args:
        deployed: agreement of the deployed setting; None if the flow is not resolved.
        trained: agreement of the training setting, where it is another one; "flow" if the field
            was trained without a solver, which makes it an ODE however it is deployed.
    """
    if deployed is None:
        return "unresolved"
    if trained == "flow":
        return "ode"
    judged = trained or deployed
    if judged.silent > judged.accepted:
        return "unresolved"
    kinds: dict[Verdict, Kind] = {
        "PASS": "ode",
        "FAIL": "solver-bound",
        "INCONCLUSIVE": "unresolved",
    }
    return kinds[judged.verdict]
