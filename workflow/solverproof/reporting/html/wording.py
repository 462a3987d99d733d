"""The sentences of a report, whatever form it takes, and how it writes numbers."""

import math
from typing import Any

import pandas as pd

from solverproof.auditing.result import AuditResult, Candidate
from solverproof.files import columns
from solverproof.ode.solvers import Setting

BEYOND = 0.05  # share of samples that an error at the 95th percentile leaves beyond it
MISSING = "–"
KINDS = {
    "ode": ("ODE", "it predicts as its flow does, and any setting marked safe will do."),
    "solver-bound": (
        "Solver-bound",
        "its flow predicts otherwise; what it learned are its solver's steps, as the layers of a "
        "residual network.",
    ),
    "unresolved": ("Unresolved", "its flow could not be computed closely enough to judge by."),
}
VERDICTS = {
    "PASS": "{} agrees with the model's flow.",
    "FAIL": "{} does not agree with the model's flow.",
    "INCONCLUSIVE": "Whether {} agrees with the model's flow could not be told.",
}


def judges_predictions(result: AuditResult) -> bool:
    """Whether the model predicts classes; otherwise its outputs are values."""
    return bool(pd.Series(result.per_sample.get("prediction", []), dtype=object).notna().any())


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
        for name in ("steps", "tolerance", "reason"):
            values[name] = None if pd.isna(values[name]) else values[name]
        values["steps"] = None if values["steps"] is None else int(values["steps"])
        found.append(Candidate(**values))
    return found


def setting_name(setting: Setting | Candidate) -> str:
    """A setting in words."""
    solver = setting.solver if isinstance(setting.solver, str) else setting.solver.name
    return setting_named(solver, setting.steps, setting.tolerance)


def setting_named(solver: str, steps: int | None, tolerance: float | None) -> str:
    """A setting in words, the solver by the name that torchdiffeq knows: `rk4 with 8 steps`."""
    if steps is None:
        return f"{solver} at tolerance {number(tolerance)}"
    return f"{solver} with {steps:,} step{'s' if steps != 1 else ''}"


def verdict_sentence(result: AuditResult) -> str:
    """The verdict in words."""
    return VERDICTS[result.verdict].format(setting_name(result.deployed))


def kind_sentence(result: AuditResult) -> str:
    """The kind of model in words, as far as the verdict supports it."""
    name, told = KINDS[result.kind]
    unsure = result.verdict == "INCONCLUSIVE" and result.kind != "unresolved"
    return f"{name}{', as far as could be told' if unsure else ''}: {told}"


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
    """What to do, now that the verdict is known."""
    return {"PASS": _keep, "FAIL": _pin, "INCONCLUSIVE": _wait}[result.verdict](result)


def _keep(result: AuditResult) -> str:
    advice = result.advice
    if advice is None:
        return "Keep it. No setting was confirmed as a cheaper one."
    if advice.setting == result.deployed:
        return f"Keep it: of the settings tried, none that is safe is cheaper ({_cost(result)})."
    cheapest = f"the cheapest safe setting, {setting_name(advice.setting)}"
    return f"Keep it, or take {cheapest}: {_cost(result)}."


def _pin(result: AuditResult) -> str:
    pinned = (
        f"Pin {setting_name(result.deployed)} wherever this model runs: another solver, or a finer "
        "step or tolerance, gives other predictions. To have an ODE, train it with a finer one."
    )
    if result.advice is None:
        return pinned
    return (
        f"{pinned} If its flow is what is wanted, {setting_name(result.advice.setting)} computes "
        f"it ({_cost(result)}); whether the flow is any good, labels must tell."
    )


def _wait(result: AuditResult) -> str:
    stay = f"Stay with {setting_name(result.deployed)}: nothing shows that another setting would do"
    if math.isnan(result.disagreement):
        return f"{stay}, and nothing that this one follows the flow."
    return f"{stay}. Audit more than {result.samples:,} samples, or accept more."


def _cost(result: AuditResult) -> str:
    """Evaluations of the advice, beside those of the deployed setting."""
    assert result.advice is not None  # asked for only then
    now = [row.nfe for row in candidates(result) if row.deployed and row.nfe > 0]
    beside = f" instead of {now[0]:,}" if now and now[0] != result.advice.nfe else ""
    return f"{result.advice.nfe:,} evaluations{beside}"


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
