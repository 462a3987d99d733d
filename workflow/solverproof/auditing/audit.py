"""The audit: is a trained model an ODE, and with which solver may it be deployed?"""

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import pandas as pd
import torch

from solverproof.auditing.advising import Report, advice, others
from solverproof.auditing.call import Call
from solverproof.auditing.checks import Check, checks, repeated
from solverproof.auditing.deployment import Deployed, deploy
from solverproof.auditing.flow import flow
from solverproof.auditing.judging import Judge
from solverproof.auditing.measures import spread
from solverproof.auditing.reasons import reasons
from solverproof.auditing.result import AuditResult, Candidate, Flow
from solverproof.auditing.sharpness import along_the_flow, convergence, sharpness
from solverproof.auditing.verdict import Agreement, kind_of
from solverproof.files import columns


@torch.no_grad()
def run_audit(call: Call, report: Report) -> AuditResult:
    """Carry out an audit.

    Args:
        call: what is asked.
        report: called before every part with a line about it.

    Raises:
        InputError: if a second solve gives other end states, or the user's code fails.
    """
    report(f"solving as deployed: {call.setting.words}")
    deployed = deploy(call.problem, call.setting, call.batch_size)
    report("checking the call")
    met, double = repeated(call, deployed), call.problem.in_double()
    looked_at = list(checks(call, deployed, double, met))
    for check in looked_at:
        if check.name == "coupling" and not check.ok:
            return _inconclusive(call, deployed, looked_at, check.sentence)
    report("solving the flow with two unlike solvers until they agree")
    found = flow(double, deployed.states, call.standard, met.times)
    if found.reference.status != "ok":
        why = f"The flow is not resolved: {found.reference.reason}."
        return _inconclusive(call, deployed, looked_at, why)
    judge = Judge(call, found)
    own = judge.of(call.setting, deployed)
    solved = [own, *others(judge, own, report)]
    trained = _trained(call, judge, report)
    report("measuring order, growth and stability")
    sharp = sharpness(call, found)
    measures = {
        "checks": [asdict(check) for check in looked_at],
        "reference": _of_reference(judge),
        "margins": judge.margins(own),
        "labels": judge.accuracy(own),
        "order": convergence(call, found, sharp.lipschitz.max if sharp else 0.0),
        **(along_the_flow(sharp) if sharp else {}),
    }
    agreement = judge.agreement(own)
    return AuditResult(
        verdict=agreement.verdict,
        kind=kind_of(agreement, trained),
        reasons=reasons(call, agreement, trained, measures, looked_at),
        **_asked(call),
        disagreement=agreement.share,
        disagreement_interval=(agreement.low, agreement.high),
        measures=measures,
        settings=_table([judge.row(one) for one in solved]),
        advice=advice(judge, solved),
        per_sample=judge.per_sample(own),
    )


def _trained(call: Call, judge: Judge, report: Report) -> Agreement | Flow | None:
    """How the training setting agrees with the flow, where it is another one than the deployed."""
    if call.trained is None or call.trained == call.setting:
        return None
    if call.trained == "flow":
        return "flow"
    report(f"solving as trained: {call.trained.words}")
    return judge.agreement(judge.run(call.trained))


def _table(rows: Sequence[Candidate]) -> pd.DataFrame:
    """The rows, cheapest first, with those marked that none beats in cost and agreement."""
    ordered = sorted(rows, key=lambda row: (row.nfe, row.disagreement))
    least, marked = math.inf, []
    for row in ordered:
        marked.append(replace(row, pareto=row.disagreement < least))
        least = min(least, row.disagreement)
    return pd.DataFrame(map(vars, marked), columns=columns(Candidate))


def _of_reference(judge: Judge) -> dict[str, Any]:
    found = judge.flow.reference
    return {
        "status": found.status,
        "reason": found.reason,
        "nfe": found.nfe,
        "distance": spread(found.distance),
        "resolved": found.resolved.double().mean().item(),
        "float64": judge.flow.problem.exact,
    }


def _asked(call: Call) -> dict[str, Any]:
    """The head of a result."""
    return {
        "judged": "predictions" if call.standard.classes else "values",
        "deployed": call.setting,
        "trained": call.trained,
        "accept": call.standard.accept,
        "confidence": call.confidence,
        "samples": call.problem.samples,
    }


def _inconclusive(
    call: Call, deployed: Deployed, looked_at: Sequence[Check], why: str
) -> AuditResult:
    """The result where there is no flow to hold the setting against."""
    row = dict.fromkeys(columns(Candidate), math.nan) | {
        "solver": call.setting.solver.name,
        "steps": call.setting.steps,
        "tolerance": call.setting.tolerance,
        "atol": call.setting.atol,
        "deployed": True,
        "nfe": deployed.nfe,
        "seconds_per_sample": deployed.seconds / call.problem.samples,
        "safe": False,
        "pareto": False,
        "status": deployed.status,
        "reason": deployed.reason,
    }
    others = [check.sentence for check in looked_at if not check.ok and check.sentence != why]
    return AuditResult(
        verdict="INCONCLUSIVE",
        kind="unresolved",
        reasons=[why, *others],
        **_asked(call),
        disagreement=math.nan,
        disagreement_interval=(math.nan, math.nan),
        measures={"checks": [asdict(check) for check in looked_at]},
        settings=pd.DataFrame([row], columns=columns(Candidate)),
        advice=None,
        per_sample={},
    )
