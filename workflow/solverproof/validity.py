"""Is a trained model an ODE? Drops, validity, and the critical step."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from solverproof.solvers import is_at_least_as_accurate

RUN = ["task", "train_solver", "train_steps", "train_tolerance", "adapted", "seed"]
MEASURED = ["accuracy", "worst_accuracy", "worst_solver", "worst_steps", "drop", "valid", "status", "reason"]


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
        accuracy, valid, and the run's status and reason. A failed run has no drop and is not valid.
    """
    groups = evaluations.groupby(RUN, dropna=False, sort=True)
    table = pd.DataFrame([_drop(group, threshold) for _, group in groups], columns=[*RUN, *MEASURED])
    return table.astype({"accuracy": float, "drop": float})  # even when every run failed


def is_valid(drop: Any, threshold: float) -> Any:
    """Whether a drop, or each of a series of drops, is at most the threshold.

    Accuracies are shares of samples, so a drop of a tenth is rarely the 0.1 that is written: 0.4 − 0.3
    is more. The margin is far below one sample and far above such rounding. No drop is not valid.
    """
    return drop <= threshold + 1e-9


def _drop(run: pd.DataFrame, threshold: float) -> dict[str, Any]:
    first = run.iloc[0]
    train = (first["train_solver"], int(first["train_steps"]))
    tests = list(zip(run["test_solver"], run["test_steps"].astype(int), strict=True))
    own = run[[test == train for test in tests]].iloc[0]
    result = {name: first[name] for name in RUN}
    if own["status"] == "diverged":
        return {**result, "valid": False, "status": own["status"], "reason": own["reason"]}
    finer = run[[is_at_least_as_accurate(test, train) for test in tests]]
    worst = finer.sort_values("accuracy", kind="stable").iloc[0]
    drop = own["accuracy"] - worst["accuracy"]
    return {
        **result,
        "accuracy": own["accuracy"],
        "worst_accuracy": worst["accuracy"],
        "worst_solver": worst["test_solver"],
        "worst_steps": int(worst["test_steps"]),
        "drop": drop,
        "valid": bool(is_valid(drop, threshold)),
        "status": own["status"],
        "reason": own["reason"],
    }


def bracket(steps: Sequence[int], valid: Sequence[bool]) -> tuple[int | None, int | None]:
    """The critical step bracket: (coarser neighbour, coarsest setting from which on all are valid).

    Args:
        steps: numbers of steps, ascending.
        valid: whether each setting is valid.

    Returns:
        Two numbers of steps. The first is None when every setting is valid; the second is None
        when the finest setting is not.
    """
    coarsest = len(steps)
    while coarsest > 0 and valid[coarsest - 1]:
        coarsest -= 1
    return (
        steps[coarsest - 1] if coarsest > 0 else None,
        steps[coarsest] if coarsest < len(steps) else None,
    )


def critical_steps(drops: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """The critical step bracket of every task and training solver.

    `invalid_steps` and `valid_steps` are the bracket of the mean drop over the seeds that trained;
    the columns `seeds_valid_steps_*` tell the spread of the seeds' own brackets (empty where a
    seed is not valid at any setting). `failed_runs` counts runs that failed to train, over all
    settings. Accuracy is that of the coarsest valid setting, mean and standard deviation over seeds.
    """
    fixed = drops[drops["train_steps"].notna()]
    groups = fixed.groupby(["task", "train_solver"], sort=True)
    return pd.DataFrame([_critical(group, threshold) for _, group in groups])


def _critical(group: pd.DataFrame, threshold: float) -> dict[str, Any]:
    mean_drop = group.groupby("train_steps")["drop"].mean()
    steps = [int(n) for n in mean_drop.index]
    invalid, valid = bracket(steps, list(is_valid(mean_drop, threshold)))
    own = [_seed_bracket(runs) for _, runs in group.groupby("seed")]
    found = pd.Series([n for n in own if n is not None], dtype="Float64")
    best = group.loc[group["train_steps"] == valid, "accuracy"] if valid is not None else group["accuracy"].iloc[:0]
    return {
        "task": group["task"].iloc[0],
        "train_solver": group["train_solver"].iloc[0],
        "invalid_steps": invalid,
        "valid_steps": valid,
        "seeds": len(own),
        "seeds_never_valid": len(own) - len(found),
        "seeds_valid_steps_min": found.min(),
        "seeds_valid_steps_median": found.median(),
        "seeds_valid_steps_max": found.max(),
        "failed_runs": int((group["status"] == "diverged").sum()),
        "accuracy_mean": best.mean(),
        "accuracy_sd": best.std(),
    }


def _seed_bracket(runs: pd.DataFrame) -> int | None:
    ordered = runs.sort_values("train_steps")
    return bracket([int(n) for n in ordered["train_steps"]], list(ordered["valid"]))[1]
