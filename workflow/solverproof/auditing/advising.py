"""The settings that are tried beside the deployed one, and what to deploy instead."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from solverproof.auditing.candidates import DEARER, tried
from solverproof.auditing.choosing import choosing, confirmed
from solverproof.auditing.deployment import odeint_call
from solverproof.auditing.judging import Judge, Solved
from solverproof.auditing.measures import spread
from solverproof.auditing.result import Advice

Report = Callable[[str], None]
"""Receives a line about what is being done."""


def others(judge: Judge, own: Solved, report: Report) -> Iterator[Solved]:
    """The candidates: those that were given, or the default ones, see `candidates.tried`.

    Args:
        judge: holds settings against the flow.
        own: the deployed setting.
        report: called before every solve with a line about it.
    """
    call = judge.call

    def run(setting: Any) -> Solved:
        report(f"trying {setting.words}")
        return judge.run(setting)

    if call.candidates is not None:
        yield from (run(setting) for setting in call.candidates if setting != call.setting)
        return
    among = choosing(call.problem.samples, call.standard.share, call.confidence)

    def is_safe(solved: Solved) -> bool:
        return judge.agreement(solved, among).verdict == "PASS"

    most = own.run.nfe if is_safe(own) else DEARER * own.run.nfe
    found = tried(run, is_safe=is_safe, nfe=lambda solved: solved.run.nfe, most=most)
    yield from (solved for setting, solved in found if setting != call.setting)


def advice(judge: Judge, solved: Sequence[Solved]) -> Advice | None:
    """The cheapest of the settings that are confirmed, see `choosing`; None if there is none.

    Of two that cost the same it is the more accurate one. The deployed setting needs no second
    half: it was not chosen by the samples.

    Args:
        judge: holds settings against the flow.
        solved: the deployed setting, and those that were tried.
    """
    safe = confirmed(
        solved,
        passes=lambda one, half: judge.agreement(one, half).verdict == "PASS",
        error=_error,
    )
    own = solved[0]
    if judge.agreement(own).verdict == "PASS":
        safe.append(own)
    if not safe:
        return None
    best = min(safe, key=lambda one: (one.run.nfe, _error(one)))
    line = odeint_call(best.setting, judge.call.problem, judge.call.batch_size)
    return Advice(best.setting, best.run.nfe, line)


def _error(solved: Solved, samples: Any = slice(None)) -> float:
    return spread(solved.distance[samples])["p95"]
