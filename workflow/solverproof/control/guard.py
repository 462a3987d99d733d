"""The end of a training: does the model agree with its flow on samples it was not trained with?"""

import math

import torch

from solverproof.auditing.call import Call
from solverproof.auditing.checks import repeated
from solverproof.auditing.deployment import deploy
from solverproof.auditing.flow import flow
from solverproof.auditing.judging import Judge
from solverproof.auditing.measures import Standard
from solverproof.auditing.problem import Problem, device_of
from solverproof.auditing.verdict import Agreement
from solverproof.errors import InputError
from solverproof.ode.solvers import Setting

DOUBT = 0.05  # the chance that any of all tests passes a model that is not as accepted


def confidence_of(test: int) -> float:
    """The confidence of a test, counted from 1: it spends half of the doubt that is left.

    However many tests there are, all of them together are wrong with a chance of `DOUBT` at most.
    What is trained after one that failed may depend on its samples by that failure alone.
    """
    return 1 - DOUBT * 0.5**test


def least_samples(share: float, tests: int) -> int:
    """The fewest samples with which the last of some tests can pass: none of them may miss.

    The upper end of Clopper and Pearson's interval for none of n is 1 - (doubt / 2)^(1/n).

    Args:
        share: of samples that may miss.
        tests: their number.
    """
    if share >= 1:
        return 1
    doubt = 1 - confidence_of(tests)
    return math.ceil(math.log(doubt / 2) / math.log1p(-share))


@torch.no_grad()
def agreement(
    model: Problem, double: Problem, setting: Setting, standard: Standard, test: int
) -> tuple[Agreement | None, int]:
    """How a model as deployed agrees with its flow.

    Args:
        model: on samples that it was not trained with.
        double: the same in float64.
        setting: the deployed one.
        standard: when a sample misses.
        test: counted from 1.

    Returns:
        None if the flow is not resolved; and the evaluations of all solves.

    Raises:
        InputError: if there are too few samples for any model to pass, or a second solve gives
            other end states.
    """
    least = least_samples(standard.share, test)
    if model.samples < least:
        raise InputError(
            f"{model.samples} samples cannot show that {standard.share:.3g} of them at most miss; "
            f"give {least} or more"
        )
    call = Call(
        problem=model,
        setting=setting,
        standard=standard,
        candidates=(),
        confidence=confidence_of(test),
    )
    deployed = deploy(model, setting)
    met = repeated(call, deployed)
    deployed = deployed.moved(device_of(double.start))
    found = flow(double, deployed.states, standard, met.times)
    nfe = 2 * deployed.nfe + found.reference.nfe
    if found.reference.status != "ok":
        return None, nfe
    judge = Judge(call, found)
    return judge.agreement(judge.of(setting, deployed)), nfe


def passed(found: Agreement | None) -> bool:
    """Whether a test passed; where the flow is not resolved it did not."""
    return found is not None and found.verdict == "PASS"
