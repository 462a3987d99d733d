"""The sentences of a report, whatever form it takes, and how it writes numbers."""

import math
from typing import Any

import pandas as pd

from solverproof.auditing.reasons import MISSING, percent
from solverproof.auditing.result import AuditResult, Candidate
from solverproof.files import columns
from solverproof.ode.solvers import Setting
from solverproof.reporting.in_words import setting_named

BEYOND = 0.05  # share of samples that an error at the 95th percentile leaves beyond it
KINDS = {"ode": "ODE", "solver-bound": "Solver-bound", "unresolved": "Unresolved"}
VERDICTS = {
    "PASS": "{} agrees with the model's flow.",
    "FAIL": "{} does not agree with the model's flow.",
    "INCONCLUSIVE": "Whether {} agrees with the model's flow could not be told.",
}


def judges_predictions(result: AuditResult) -> bool:
    """Whether the model predicts classes; otherwise its outputs are values."""
    return result.judged == "predictions"


def accepted_share(result: AuditResult) -> float:
    """The share of samples that may miss the flow."""
    return result.accept if judges_predictions(result) else BEYOND


def missed(result: AuditResult) -> str:
    """What the disagreement is a share of."""
    if judges_predictions(result):
        return "predictions unlike the flow's"
    return f"samples farther off the flow than {number(result.accept)}"


def candidates(result: AuditResult) -> list[Candidate]:
    """The rows of the table of settings, with None where pandas has NaN for it."""
    found = []
    for row in result.settings.to_dict("records"):
        values: dict[str, Any] = {name: row[str(name)] for name in columns(Candidate)}
        for name in ("steps", "tolerance", "atol", "reason"):
            values[name] = None if pd.isna(values[name]) else values[name]
        values["steps"] = None if values["steps"] is None else int(values["steps"])
        found.append(Candidate(**values))
    return found


def setting_name(setting: Setting | Candidate) -> str:
    """A setting in words."""
    solver = setting.solver if isinstance(setting.solver, str) else setting.solver.name
    return setting_named(solver, setting.steps, setting.tolerance, setting.atol)


def verdict_sentence(result: AuditResult) -> str:
    """The verdict in words."""
    return VERDICTS[result.verdict].format(setting_name(result.deployed))


def kind_sentence(result: AuditResult) -> str:
    """The kind of model in words, and what it is judged by."""
    judged = {"ode": _ode, "solver-bound": _solver_bound, "unresolved": _unresolved}[result.kind]
    name, told = KINDS[result.kind], judged(result)
    # Any weights have a flow that a fine solver computes: it was meant only if they learned it.
    if result.trained is None and result.kind != "unresolved":
        return f"{name}, if it was trained as it is deployed: {told}"
    return f"{name}: {told}"


def _ode(result: AuditResult) -> str:
    if result.trained == "flow":
        return "the field itself was trained; the finer a setting, the nearer to what was learned."
    safe = "any setting marked safe will do."
    if _trained_otherwise(result):
        return f"as it was trained, with {_trained(result)}, it agrees with its flow; {safe}"
    return f"it agrees with its flow, and {safe}"


def _solver_bound(result: AuditResult) -> str:
    trained = f"with {_trained(result)} " if result.trained else ""
    return (
        f"{trained}it learned its solver's steps, like the layers of a residual network, and not "
        "a flow."
    )


def _unresolved(result: AuditResult) -> str:
    if math.isnan(result.disagreement):
        return "its flow could not be computed closely enough to judge by."
    if result.verdict == "FAIL" and not _trained_otherwise(result):
        return f"{_trained(result)} gives too few outputs to tell what it learned."
    samples = f"{result.samples:,} samples do not tell"
    return f"{samples} whether {_trained(result)}, as it was trained, agrees with its flow."


def _trained(result: AuditResult) -> str:
    """The training setting in words; the deployed one where no other was told."""
    trained = result.trained
    return setting_name(trained if isinstance(trained, Setting) else result.deployed)


def _trained_otherwise(result: AuditResult) -> bool:
    return isinstance(result.trained, Setting) and result.trained != result.deployed


def finding(result: AuditResult) -> str:
    """The disagreement with its interval, and what is accepted."""
    if math.isnan(result.disagreement):
        share = "not known"
    else:
        low, high = map(percent, result.disagreement_interval)
        level = number(100 * result.confidence)
        share = f"{percent(result.disagreement)} % ({low} to {high} at {level} %)"
    accepted = number(100 * accepted_share(result))
    return (
        f"Share of {missed(result)}: {share}, of {result.samples:,} samples; "
        f"{accepted} % is accepted."
    )


def bidding(result: AuditResult) -> str:
    """What to do, now that verdict and kind are known."""
    if result.kind == "solver-bound":
        return _pin(result)
    return {"PASS": _keep, "FAIL": _refine, "INCONCLUSIVE": _wait}[result.verdict](result)


def advised_call(result: AuditResult) -> str | None:
    """The line to paste; none for a model that is bound to its solver, which may not be swapped."""
    if result.advice is None or result.kind == "solver-bound":
        return None
    return result.advice.call


def _keep(result: AuditResult) -> str:
    advice = result.advice
    if advice is None:
        told = "Keep it. No setting was confirmed as a cheaper one."
    elif advice.setting == result.deployed:
        told = f"Keep it: of the settings tried, none that is safe is cheaper ({_cost(result)})."
    else:
        cheapest = f"the cheapest safe setting, {setting_name(advice.setting)}"
        told = f"Keep it, or take {cheapest}: {_cost(result)}."
    if result.kind == "unresolved":
        return f"{told} More samples would tell whether the flow is what was learned."
    return told


def _pin(result: AuditResult) -> str:
    """Whatever is deployed: what such a model learned, its training setting alone gives."""
    trained = _trained(result)
    finer = "To have an ODE, train it with a finer one."
    if _trained_otherwise(result):
        return (
            f"Deploy it with {trained}, as it was trained, and with nothing else: "
            f"{setting_name(result.deployed)} gives other {_products(result)}. {finer}"
        )
    told = (
        f"Pin {trained} wherever this model runs: another solver, or a finer step or tolerance, "
        f"gives other {_products(result)}. {finer}"
    )
    if result.trained:
        return told
    return f"{told} If it was trained otherwise, say so (trained=...): then this does not hold."


def _refine(result: AuditResult) -> str:
    deployed, advice = setting_name(result.deployed), result.advice
    known = result.kind == "ode" and _trained_otherwise(result)
    same = advice is not None and advice.setting == result.trained
    trained = f", or {_trained(result)}, as it was trained" if known and not same else ""
    if advice:
        safe = f"{setting_name(advice.setting)}, the cheapest safe setting ({_cost(result)})"
        return f"Do not deploy it with {deployed}: take {safe}{trained}."
    return (
        f"Do not deploy it with {deployed}: take a finer setting{trained}. Of those tried, none "
        "was confirmed as safe."
    )


def _wait(result: AuditResult) -> str:
    stay = f"stay with {_trained(result)}: nothing shows that another setting would do"
    if math.isnan(result.disagreement):
        lost = [row.reason for row in candidates(result) if row.deployed and row.status != "ok"]
        if lost:
            deployed = setting_name(result.deployed)
            return (
                f"Do not deploy it with {deployed}, which fails ({lost[0]}): take a finer setting."
            )
        return f"As long as no more is known, {stay}, nor that this one follows the flow."
    more = f"Audit more than {result.samples:,} samples, or accept more."
    if result.advice:
        safe = f"{setting_name(result.advice.setting)} is confirmed as safe"
        return f"{more} Until then {safe} ({_cost(result)})."
    if result.settings["safe"].any():
        return (
            f"{more} Until then stay with {_trained(result)}: of the settings that look safe in "
            "the table, none was confirmed on samples that had no part in choosing it."
        )
    return f"{more} Until then {stay}."


def _products(result: AuditResult) -> str:
    return "predictions" if judges_predictions(result) else "outputs"


def _cost(result: AuditResult) -> str:
    """Evaluations of the advice, beside those of the deployed setting."""
    assert result.advice is not None  # asked for only then
    now = [row.nfe for row in candidates(result) if row.deployed and row.nfe > 0]
    beside = f" instead of {now[0]:,}" if now and now[0] != result.advice.nfe else ""
    return f"{result.advice.nfe:,} evaluations{beside}"


def with_interval(share: float | None, low: float | None, high: float | None) -> str:
    """A share in percent with its interval."""
    if percent(low) == percent(high) == MISSING:
        return percent(share)
    return f"{percent(share)} ({percent(low)} to {percent(high)})"


def number(value: float | None) -> str:
    """A number to three digits, a whole one in full."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.3g}"


def readable(value: Any) -> str:
    """Any value of JSON, for a reader."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, list):
        return ", ".join(map(readable, value)) or MISSING
    return MISSING if value is None else str(value)
