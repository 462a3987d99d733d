"""Is a trained model an ODE? Drops, validity, and the critical step."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from solverproof.ode.solvers import SOLVERS, Setting, is_at_least_as_accurate

RUN = ["task", "train_solver", "train_steps", "train_tolerance", "controller", "adapted", "seed"]
DROP = [
    "accuracy", "worst_accuracy", "worst_solver", "worst_steps", "worst_tolerance", "drop", "valid", "status", "reason",
]  # fmt: skip
MEASURES = ("steps", "tolerance")
CRITICAL = [
    "task",
    "train_solver",
    *(f"{end}_{measure}" for measure in MEASURES for end in ("invalid", "valid")),
    "seeds",
    "seeds_never_valid",
    *(f"seeds_valid_{measure}_{name}" for measure in MEASURES for name in ("min", "median", "max")),
    "failed_runs",
    "accuracy_mean",
    "accuracy_sd",
]


def drops(evaluations: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """How much accuracy each run loses under solvers at least as accurate as its own.

    The drop is the accuracy with the training solver and setting minus the lowest accuracy over
    all test settings of equal or smaller numerical error; never negative, because the training
    setting is one of them. A run is valid when its drop is at most `threshold`.

    Args:
        evaluations: rows of `evaluations.csv`.
        threshold: largest drop that still counts as valid, as a fraction.

    Returns:
        One row per run (the `RUN` columns), with accuracy, drop, the worst test setting and its
        accuracy, valid, and status and reason. A run that failed has no drop and is not valid; nor
        has one with a test setting of smaller error under which the solver gave up, whose status it
        takes.
    """
    groups = evaluations.groupby(RUN, dropna=False, sort=True)
    table = pd.DataFrame([_drop(group, threshold) for _, group in groups], columns=[*RUN, *DROP])
    return table.astype({"accuracy": float, "drop": float})  # even when every run failed


def is_valid(drop: Any, threshold: float) -> Any:
    """Whether a drop, or each of a series of drops, is at most the threshold.

    Accuracies are shares of samples, so a drop of a tenth is rarely the 0.1 that is written: 0.4 − 0.3
    is more. The margin is far below one sample and far above such rounding. No drop is not valid.
    """
    return drop <= threshold + 1e-9


def _drop(run: pd.DataFrame, threshold: float) -> dict[str, Any]:
    first = run.iloc[0]
    train = _setting(first, "train")
    tests = [_setting(row, "test") for _, row in run.iterrows()]
    own = run[[test == train for test in tests]].iloc[0]
    finer = run[[is_at_least_as_accurate(test, train) for test in tests]].sort_values("accuracy", kind="stable")
    worst, unknown = finer.iloc[0], finer[finer["accuracy"].isna()]
    result = {**first[RUN], "accuracy": own["accuracy"]}
    if len(unknown):
        failed = own if pd.isna(own["accuracy"]) else unknown.iloc[0]
        return {**result, "valid": False, "status": failed["status"], "reason": failed["reason"]}
    drop = own["accuracy"] - worst["accuracy"]
    return {
        **result,
        **{f"worst_{name}": worst[f"test_{name}"] for name in ("solver", "steps", "tolerance")},
        "worst_accuracy": worst["accuracy"],
        "drop": drop,
        "valid": bool(is_valid(drop, threshold)),
        "status": own["status"],
        "reason": own["reason"],
    }


def _setting(row: pd.Series, role: str) -> Setting:
    solver = SOLVERS[row[f"{role}_solver"]]
    return Setting(solver, row[f"{role}_{solver.measure}"])


def bracket(settings: Sequence[float], valid: Sequence[bool]) -> tuple[float | None, float | None]:
    """The critical bracket: (coarser neighbour, coarsest setting from which on all are valid).

    Args:
        settings: numbers of steps or tolerances, from coarse to fine.
        valid: whether each setting is valid.

    Returns:
        Two settings. The first is None when every setting is valid; the second is None when the
        finest setting is not.
    """
    coarsest = len(settings)
    while coarsest > 0 and valid[coarsest - 1]:
        coarsest -= 1
    return (
        settings[coarsest - 1] if coarsest > 0 else None,
        settings[coarsest] if coarsest < len(settings) else None,
    )


def critical_steps(drops: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """The critical bracket of every task and training solver: of steps, or of tolerances.

    `invalid_steps` and `valid_steps` (or `_tolerance`) are the bracket of the mean drop over the
    seeds that trained; the columns `seeds_valid_steps_*` tell the spread of the seeds' own brackets
    (empty where a seed is not valid at any setting). `failed_runs` counts runs that have no drop,
    over all settings. Accuracy is that of the coarsest valid setting, mean and standard deviation
    over seeds. Runs whose setting a controller chose are left out.
    """
    groups = drops[drops["controller"].isna()].groupby(["task", "train_solver"], sort=True)
    return pd.DataFrame([_critical(group, threshold) for _, group in groups], columns=CRITICAL)


def _critical(group: pd.DataFrame, threshold: float) -> dict[str, Any]:
    solver = SOLVERS[group["train_solver"].iloc[0]]
    train, coarse_first = f"train_{solver.measure}", not solver.is_adaptive
    mean_drop = group.groupby(train)["drop"].mean().sort_index(ascending=coarse_first)
    invalid, valid = bracket(list(mean_drop.index), list(is_valid(mean_drop, threshold)))
    ordered = group.sort_values(train, ascending=coarse_first)
    own = [bracket(list(runs[train]), list(runs["valid"]))[1] for _, runs in ordered.groupby("seed")]
    found = pd.Series([n for n in own if n is not None], dtype="Float64")
    best = group.loc[group[train] == valid, "accuracy"] if valid is not None else group["accuracy"].iloc[:0]
    return {
        "task": group["task"].iloc[0],
        "train_solver": solver.name,
        f"invalid_{solver.measure}": invalid,
        f"valid_{solver.measure}": valid,
        "seeds": len(own),
        "seeds_never_valid": len(own) - len(found),
        f"seeds_valid_{solver.measure}_min": found.min(),
        f"seeds_valid_{solver.measure}_median": found.median(),
        f"seeds_valid_{solver.measure}_max": found.max(),
        "failed_runs": int(group["drop"].isna().sum()),
        "accuracy_mean": best.mean(),
        "accuracy_sd": best.std(),
    }
