"""What to deploy a model of the study with, in a sentence."""

import math

import pandas as pd

from solverproof.auditing.intervals import share_interval
from solverproof.evaluation.rows import REFERENCE, SAMPLE
from solverproof.reporting.html.wording import number
from solverproof.reporting.in_words import setting_named


def advice(run: pd.Series, audit: pd.Series, tests: pd.DataFrame) -> str:
    """The sentence.

    Args:
        run: the model's row of `drops.csv`.
        audit: its row of `audits.csv`.
        tests: its rows of `evaluations.csv`.
    """
    own = setting_named(run["train_solver"], run["train_steps"], run["train_tolerance"])
    if pd.isna(audit["verdict"]):
        return "Do not deploy it: it has no predictions to judge."
    if run["status"] == "untrained":
        return "Do not deploy it: it did not train."
    if audit["kind"] == "solver-bound":
        return f"Pin {own} and take nothing else: it learned its solver's steps, not a flow."
    found, nfe = _cheapest(audit, tests)
    if audit["verdict"] == "PASS":
        if nfe < _own_cost(run, tests):
            return f"Keep {own}, or take {found}, the cheapest tested that agrees."
        return f"Keep {own}: nothing cheaper that was tested surely agrees with the flow."
    if audit["verdict"] == "FAIL":
        return f"Do not deploy it with {own}: take {found or 'a finer setting'}."
    until = f"{found} agrees" if found else f"stay with {own}"
    if pd.isna(audit["disagreement"]):
        return f"Its flow is not known closely enough to judge by: stay with {own}."
    return f"{number(audit['samples'])} samples do not tell; until more do, {until}."


def _cheapest(audit: pd.Series, tests: pd.DataFrame) -> tuple[str | None, float]:
    """What to deploy a model with, in words, and its evaluations; None and infinite if not known.

    It is what the audit advises where it tried other settings, else the cheapest test setting that
    agrees.
    """
    if pd.notna(audit["tried"]):
        if pd.isna(audit["advised_nfe"]):
            return None, math.inf
        return _told(audit, "advised", audit["advised_nfe"])
    safe = _agreeing(audit, tests)
    return _told(safe.iloc[0], "test", safe.iloc[0]["nfe"]) if len(safe) else (None, math.inf)


def _told(row: pd.Series, which: str, nfe: float) -> tuple[str, float]:
    parts = (row[f"{which}_{part}"] for part in ("solver", "steps", "tolerance"))
    return f"{setting_named(*parts)} ({number(nfe)} evaluations)", float(nfe)


def _agreeing(audit: pd.Series, tests: pd.DataFrame) -> pd.DataFrame:
    """Test settings that surely predict what the flow does, the cheapest first."""
    known = tests[(tests["test_solver"] != REFERENCE) & (tests["control"] != SAMPLE)]
    known = known[known["disagreement"].notna() & (known["status"] == "ok")]
    if known.empty or pd.isna(audit["samples"]):
        return known.iloc[:0]
    samples = int(audit["samples"])
    highest = [share_interval(round(d * samples), samples)[1] for d in known["disagreement"]]
    return known[[high <= audit["accepted"] for high in highest]].sort_values("nfe", kind="stable")


def _own_cost(run: pd.Series, tests: pd.DataFrame) -> float:
    own = tests[(tests["test_solver"] == run["train_solver"]) & (tests["control"] != SAMPLE)]
    measure = "steps" if pd.notna(run["train_steps"]) else "tolerance"
    return float(own.loc[own[f"test_{measure}"] == run[f"train_{measure}"], "nfe"].min())
