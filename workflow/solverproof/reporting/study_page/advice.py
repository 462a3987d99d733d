"""What to deploy a model of the study with, in a sentence."""

import pandas as pd

from solverproof.auditing.intervals import share_interval
from solverproof.evaluation.rows import REFERENCE, SAMPLE
from solverproof.reporting.html.wording import number, setting_named


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
    safe = _agreeing(audit, tests)
    if audit["kind"] == "solver-bound":
        return f"Pin {own} and take nothing else: it learned its solver's steps, not a flow."
    found = _told(safe.iloc[0]) if len(safe) else None
    if audit["verdict"] == "PASS":
        cheaper = safe[safe["nfe"] < _own_cost(run, tests)]
        if len(cheaper):
            return f"Keep {own}, or take {_told(cheaper.iloc[0])}, the cheapest tested that agrees."
        return f"Keep {own}: nothing cheaper that was tested surely agrees with the flow."
    if audit["verdict"] == "FAIL":
        return f"Do not deploy it with {own}: take {found or 'a finer setting'}."
    until = f"{found} agrees" if found else f"stay with {own}"
    if pd.isna(audit["disagreement"]):
        return f"Its flow is not known closely enough to judge by: stay with {own}."
    return f"{number(audit['samples'])} samples do not tell; until more do, {until}."


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


def _told(row: pd.Series) -> str:
    setting = setting_named(row["test_solver"], row["test_steps"], row["test_tolerance"])
    return f"{setting} ({number(row['nfe'])} evaluations)"
