"""Is a trained model an ODE? Drops, validity, and the critical step."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from solverproof.evaluation.rows import Run
from solverproof.files import columns
from solverproof.ode.solvers import SOLVERS, Setting, Solver, is_at_least_as_accurate


@dataclass(frozen=True, kw_only=True)
class _Loss:
    accuracy: float
    worst_accuracy: float = math.nan
    worst_solver: str | None = None
    worst_steps: float = math.nan
    worst_tolerance: float = math.nan
    drop: float = math.nan
    valid: bool = False
    status: str
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Drop(_Loss, Run):
    """A row of `drops.csv`: the columns of `Run`, then those of the loss of accuracy.

    Attributes:
        accuracy: with its own solver and setting.
        worst_accuracy: the lowest over all test settings of equal or smaller error.
        worst_solver, worst_steps, worst_tolerance: the test setting with that accuracy.
        drop: `accuracy` minus `worst_accuracy`.
        valid: whether the drop is at most the threshold.
        status, reason: as in `evaluations.csv`.
    """


@dataclass(frozen=True, kw_only=True)
class Critical:
    """A row of `critical_steps.csv`, for a task and a training solver.

    Attributes:
        task, train_solver: the task and the training solver.
        invalid_steps, valid_steps: the critical bracket of steps, by the mean drop over the seeds
            that trained; the same for tolerances.
        seeds: number of seeds.
        seeds_never_valid: number of seeds that are not valid even at the finest setting.
        seeds_valid_steps_min, ...: the spread of the valid ends of the other seeds' own brackets.
        failed_runs: number of runs without a drop, over all settings.
        accuracy_mean, accuracy_sd: over seeds, at the coarsest valid setting.
    """

    task: str
    train_solver: str
    invalid_steps: float | None = None
    valid_steps: float | None = None
    invalid_tolerance: float | None = None
    valid_tolerance: float | None = None
    seeds: int
    seeds_never_valid: int
    seeds_valid_steps_min: float | None = None
    seeds_valid_steps_median: float | None = None
    seeds_valid_steps_max: float | None = None
    seeds_valid_tolerance_min: float | None = None
    seeds_valid_tolerance_median: float | None = None
    seeds_valid_tolerance_max: float | None = None
    failed_runs: int
    accuracy_mean: float
    accuracy_sd: float


RUN = columns(Run)


def drops(
    evaluations: pd.DataFrame, threshold: float, solvers: Mapping[str, Solver] = SOLVERS
) -> pd.DataFrame:
    """How much accuracy each run loses under solvers at least as accurate as its own.

    The drop is the accuracy with the training solver and setting minus the lowest accuracy over
    all test settings of equal or smaller numerical error; never negative, because the training
    setting is one of them. A run is valid when its drop is at most `threshold`.

    Args:
        evaluations: rows of `evaluations.csv`.
        threshold: largest drop that still counts as valid, as a fraction.
        solvers: the solvers in the table, by name.

    Returns:
        One row per run, in the columns of `Drop`. A run that failed has no drop and is not valid;
        the same holds for a run with a test setting of smaller error under which the solver gave
        up, and it takes the status of that setting.
    """
    # Steps, tolerance and controller are empty for some runs, which groupby would leave out.
    groups = evaluations.groupby(RUN, dropna=False, sort=True)
    found = [vars(_drop(group, threshold, solvers)) for _, group in groups]
    table = pd.DataFrame(found, columns=columns(Drop))
    # Explicit types, which columns keep even when every run failed.
    return table.astype({"accuracy": float, "drop": float})


def is_valid(drop: Any, threshold: float) -> Any:
    """Whether a drop, or each of a series of drops, is at most the threshold.

    A NaN drop is not valid.
    """
    # Accuracies are shares of samples, so a drop of a tenth is rarely the 0.1 that is written:
    # 0.4 - 0.3 is more. The margin is far below one sample and far above such rounding.
    return drop <= threshold + 1e-9


def _drop(run: pd.DataFrame, threshold: float, solvers: Mapping[str, Solver]) -> Drop:
    first = run.iloc[0]
    train = _setting(first, "train", solvers)
    tests = [_setting(row, "test", solvers) for _, row in run.iterrows()]
    own = run[[test == train for test in tests]].iloc[0]
    finer = run[[is_at_least_as_accurate(test, train) for test in tests]]
    # Stable, so that of equal accuracies the first one is named.
    finer = finer.sort_values("accuracy", kind="stable")
    worst, unknown = finer.iloc[0], finer[finer["accuracy"].isna()]
    result: dict[str, Any] = {**first[RUN], "accuracy": own["accuracy"]}
    # An unknown accuracy may be the lowest. If the run itself failed, that is the reason to report.
    if len(unknown):
        failed = own if pd.isna(own["accuracy"]) else unknown.iloc[0]
        return Drop(**result, status=failed["status"], reason=failed["reason"])
    drop = own["accuracy"] - worst["accuracy"]
    return Drop(
        **result,
        worst_accuracy=worst["accuracy"],
        worst_solver=worst["test_solver"],
        worst_steps=worst["test_steps"],
        worst_tolerance=worst["test_tolerance"],
        drop=drop,
        valid=bool(is_valid(drop, threshold)),
        status=own["status"],
        reason=own["reason"],
    )


def _setting(row: pd.Series, role: str, solvers: Mapping[str, Solver]) -> Setting:
    solver = solvers[row[f"{role}_solver"]]
    return Setting.of(solver, row[f"{role}_{solver.measure}"])


def bracket(settings: Sequence[float], valid: Sequence[bool]) -> tuple[float | None, float | None]:
    """The critical bracket: (coarser neighbour, coarsest setting from which on all are valid).

    Args:
        settings: numbers of steps or tolerances, from coarse to fine.
        valid: whether each setting is valid.

    Returns:
        Two settings. The first is None when every setting is valid; the second is None when the
        finest setting is not.
    """
    # From the fine end: a coarse setting that happens to be valid, with an invalid one between, is
    # not part of the valid range.
    coarsest = len(settings)
    while coarsest > 0 and valid[coarsest - 1]:
        coarsest -= 1
    return (
        settings[coarsest - 1] if coarsest > 0 else None,
        settings[coarsest] if coarsest < len(settings) else None,
    )


def critical_steps(
    drops: pd.DataFrame, threshold: float, solvers: Mapping[str, Solver] = SOLVERS
) -> pd.DataFrame:
    """The critical bracket of every task and training solver, in the columns of `Critical`.

    Runs with a controller are left out.
    """
    groups = drops[drops["controller"].isna()].groupby(["task", "train_solver"], sort=True)
    found = [vars(_critical(group, threshold, solvers)) for _, group in groups]
    return pd.DataFrame(found, columns=columns(Critical))


def _critical(group: pd.DataFrame, threshold: float, solvers: Mapping[str, Solver]) -> Critical:
    solver = solvers[group["train_solver"].iloc[0]]
    train, coarse_first = f"train_{solver.measure}", not solver.is_adaptive
    # Failed runs have a NaN drop, which the mean leaves out: they are counted, not averaged.
    mean_drop = group.groupby(train)["drop"].mean().sort_index(ascending=coarse_first)
    invalid, valid = bracket(list(mean_drop.index), list(is_valid(mean_drop, threshold)))
    ordered = group.sort_values(train, ascending=coarse_first)
    by_seed = ordered.groupby("seed")
    own = [bracket(list(runs[train]), list(runs["valid"]))[1] for _, runs in by_seed]
    # The type is given, because the list is empty when no seed is ever valid.
    found = pd.Series([n for n in own if n is not None], dtype="Float64")
    # Without a valid setting this selects no row, and mean and deviation are NaN.
    at_valid = group[train] == valid if valid is not None else group[train].isna()
    accuracy = group.loc[at_valid, "accuracy"]
    measured: dict[str, Any] = {
        f"invalid_{solver.measure}": invalid,
        f"valid_{solver.measure}": valid,
        f"seeds_valid_{solver.measure}_min": found.min(),
        f"seeds_valid_{solver.measure}_median": found.median(),
        f"seeds_valid_{solver.measure}_max": found.max(),
    }
    return Critical(
        task=group["task"].iloc[0],
        train_solver=solver.name,
        seeds=len(own),
        seeds_never_valid=len(own) - len(found),
        failed_runs=int(group["drop"].isna().sum()),
        accuracy_mean=accuracy.mean(),
        accuracy_sd=accuracy.std(),
        **measured,
    )
