"""Is a trained model an ODE? What it loses under finer solvers, and under its own flow."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pandas as pd

from solverproof.evaluation.rows import REFERENCE, SAMPLE, UNTRAINED, Run
from solverproof.evaluation.scores import (
    GUESS_ERROR,
    SCORES,
    WORTHLESS,
    goodness,
    has_score,
    lost,
    score_of,
)
from solverproof.files import columns
from solverproof.ode.solvers import SOLVERS, Setting, Solver, is_at_least_as_accurate


@dataclass(frozen=True, kw_only=True)
class _Loss:
    accuracy: float
    error: float = math.nan
    worst_accuracy: float = math.nan
    worst_error: float = math.nan
    worst_solver: str | None = None
    worst_steps: float = math.nan
    worst_tolerance: float = math.nan
    drop: float = math.nan
    valid: bool = False
    not_finer: str | None = None
    accuracy_alone: float = math.nan
    error_alone: float = math.nan
    changed_alone: float = math.nan
    accuracy_reference: float = math.nan
    error_reference: float = math.nan
    drop_reference: float = math.nan
    disagreement: float = math.nan
    status: str
    reason: str | None
    reference: str | None = None


@dataclass(frozen=True, kw_only=True)
class Drop(_Loss, Run):
    """A row of `drops.csv`: the columns of `Run`, then those of the loss of accuracy.

    Columns named error are those of real values; there the ones named accuracy are NaN.

    Attributes:
        accuracy, error: with its own solver and setting.
        worst_accuracy, worst_error: the worst over all test settings of equal or smaller error of
            the solver; no accuracy, and an infinite error, where a finer solver gave up.
        worst_solver, worst_steps, worst_tolerance: the test setting with that score.
        drop: what is lost by it (`lost`): accuracy, or a relative increase of the error.
        valid: whether the model has trained and its drop is at most the threshold.
        not_finer: test settings of a finer solver or step that are less accurate on this model, by
            the distance from its reference, and so do not count.
        accuracy_alone, error_alone: with its own solver and tolerance, every sample solved alone;
            NaN unless the solver is adaptive.
        changed_alone: share of the predicted classes that change then.
        accuracy_reference, error_reference: of the flow itself, as two solvers agree on it.
        drop_reference: what is lost by it, on the same samples (the first 1,000); negative where
            the flow is better.
        disagreement: share of the samples of which the flow predicts another class.
        status: `ok`; `untrained` if the score is worse than the task's floor; why training failed;
            or why a finer solver gave up.
        reason: in a few more words; None where the status is `ok`.
        reference: `ok`; or why there is no reference.
    """


RUN = columns(Run)
TRAIN_VALUES = ["train_steps", "train_tolerance"]


def drops(
    evaluations: pd.DataFrame,
    threshold: float,
    *,
    error_threshold: float = math.inf,
    chance: Mapping[str, float] = MappingProxyType({}),
    solvers: Mapping[str, Solver] = SOLVERS,
) -> pd.DataFrame:
    """How much each run loses under solvers at least as accurate as its own.

    The drop is the accuracy with the training solver and setting minus the lowest accuracy over
    all test settings of equal or smaller numerical error; never negative, because the training
    setting is one of them. Of real values it is the relative increase of the error. Rows in which
    samples are solved alone are left out, as in the paper. A run is valid when it has trained and
    its drop is at most the threshold.
    A model loses all it had where a finer solver gives up on it: its drop is its own accuracy, or
    infinite. That a solver of higher order has a smaller error is a claim about small steps: a test
    setting that is farther from the model's reference than the training setting is not counted.

    A run has trained when its accuracy is at least the floor of its task, halfway between that of a
    guess and the best mean over seeds of any setting of the grid (or, without one, of any
    controller). Below it there is little to lose: a model at chance would count as valid. The floor
    of real values is an error, found alike; there a guess is the mean of the targets.

    Args:
        evaluations: rows of `evaluations.csv`.
        threshold: largest drop of accuracy that still counts as valid, as a fraction.
        error_threshold: largest relative increase of an error that does.
        chance: the accuracy of a guess, by task; a task of classes without one has no floor.
        solvers: the solvers in the table, by name.

    Returns:
        One row per run, in the columns of `Drop`. A run that failed in training has no drop and is
        not valid.
    """
    thresholds = {"accuracy": threshold, "error": error_threshold}
    # Steps, tolerance and controller are empty for some runs, which groupby would leave out.
    groups = evaluations.groupby(RUN, dropna=False, sort=True)
    found = [vars(_drop(group, thresholds, solvers)) for _, group in groups]
    table = _with_untrained(pd.DataFrame(found, columns=columns(Drop)), chance)
    # Explicit types, which columns keep even when every run failed.
    numbers = [f"{score}{of}" for score in SCORES for of in ("", "_alone", "_reference")]
    numbers += ["drop", "changed_alone", "drop_reference", "disagreement"]
    return table.astype(dict.fromkeys(numbers, float))


def has_trained(drops: pd.DataFrame) -> pd.Series:
    """Whether each run of `drops.csv` ended with a model that is better than the task's floor."""
    return has_score(drops) & (drops["status"] != UNTRAINED)


def _with_untrained(drops: pd.DataFrame, chance: Mapping[str, float]) -> pd.DataFrame:
    """Drops in which runs worse than the floor of their task are marked as untrained."""
    drops = drops.astype(dict.fromkeys(SCORES, float))
    grid, others = drops[drops["controller"].isna()], drops[drops["controller"].notna()]
    # A study without a grid has the means of its controllers, whose runs end with unlike settings.
    best = _best_mean(grid, TRAIN_VALUES).combine_first(_best_mean(others, ["controller"]))
    errors = dict.fromkeys(drops.loc[drops["error"].notna(), "task"], -GUESS_ERROR)
    guess = {**chance, **errors}
    floor = drops["task"].map(
        {task: (guess[task] + best.get(task, math.nan)) / 2 for task in guess}
    )
    untrained = goodness(drops) < floor
    told = floor[untrained].map(_floor_told)
    return drops.assign(
        valid=drops["valid"] & ~untrained,
        status=drops["status"].mask(untrained, UNTRAINED),
        reason=drops["reason"].mask(untrained, told),
    )


def _floor_told(floor: float) -> str:
    below = f"accuracy below {floor:.3f}" if floor > 0 else f"error above {-floor:.3f}"
    return f"{below}, halfway between chance and the best"


def _best_mean(drops: pd.DataFrame, ways: list[str]) -> pd.Series:
    """The best mean score over seeds, by task, of runs that were trained in the same way."""
    scored = drops.assign(goodness=goodness(drops))
    means = scored.groupby(["task", "train_solver", *ways], dropna=False)["goodness"].mean()
    return means.groupby("task").max().dropna()


def is_valid(drop: Any, threshold: float) -> Any:
    """Whether a drop, or each of a series of drops, is at most the threshold.

    A NaN drop is not valid.
    """
    # Accuracies are shares of samples, so a drop of a tenth is rarely the 0.1 that is written:
    # 0.4 - 0.3 is more. The margin is far below one sample and far above such rounding.
    return drop <= threshold + 1e-9


def _drop(
    run: pd.DataFrame, thresholds: Mapping[str, float], solvers: Mapping[str, Solver]
) -> Drop:
    first, score = run.iloc[0], score_of(run)
    train = _setting(first, "train", solvers)
    flow, run = run[run["test_solver"] == REFERENCE], run[run["test_solver"] != REFERENCE]
    alone, run = run[run["control"] == SAMPLE], run[run["control"] != SAMPLE]
    tests = [_setting(row, "test", solvers) for _, row in run.iterrows()]
    own = run[[test == train for test in tests]].iloc[0]
    finer = run[[is_at_least_as_accurate(test, train) for test in tests]]
    # Comparisons with NaN are false: without a reference nothing is left out.
    worse = finer["state_error"] > own["state_error"]
    finer, not_finer = finer[~worse], _settings_of(finer[worse])
    # Stable, so that of equal scores the first one is named.
    finer = finer.sort_values(score, kind="stable", ascending=score == "accuracy")
    worst, unknown = finer.iloc[0], finer[finer[score].isna()]
    result: dict[str, Any] = {
        **first[RUN],
        **own[[*SCORES]],
        "not_finer": not_finer,
        "disagreement": own["disagreement"],
        **_of_alone(alone, train, solvers),
        **_of_reference(flow, own[f"{score}_paired"], score),
    }
    if pd.isna(own[score]):
        return Drop(**result, status=own["status"], reason=own["reason"])
    told, left = own, worst[score]
    if len(unknown):
        # Leaving such a model out of the mean over seeds would make the others decide for it.
        worst = told = unknown.iloc[0]
        left = WORTHLESS[score]
    drop = lost(own[score], left, score)
    return Drop(
        **result,
        **{f"worst_{score}": left},
        worst_solver=worst["test_solver"],
        worst_steps=worst["test_steps"],
        worst_tolerance=worst["test_tolerance"],
        drop=drop,
        valid=bool(is_valid(drop, thresholds[score])),
        status=told["status"],
        reason=told["reason"],
    )


def _of_alone(alone: pd.DataFrame, train: Setting, solvers: Mapping[str, Solver]) -> dict[str, Any]:
    """The columns of the training setting where it solves every sample alone, if it can."""
    own = [row for _, row in alone.iterrows() if _setting(row, "test", solvers) == train]
    if not own:
        return {}
    scores = {f"{score}_alone": own[0][score] for score in SCORES}
    return {**scores, "changed_alone": own[0]["changed_alone"]}


def _of_reference(flow: pd.DataFrame, own: float, score: str) -> dict[str, Any]:
    """The columns of the flow, of which there is one row, or none if the model failed."""
    if flow.empty:
        return {}
    (row,) = flow.to_dict("records")
    return {
        **{f"{name}_reference": row[name] for name in SCORES},
        "drop_reference": lost(own, row[score], score),
        "reference": row["status"]
        if row["status"] == "ok"
        else f"{row['status']}: {row['reason']}",
    }


def _settings_of(rows: pd.DataFrame) -> str | None:
    """Test settings in words: `midpoint 2, rk4 2`, or `dopri5 0.01`."""
    # Tolerance first: of an adaptive solver the steps are those it happened to take.
    value = rows["test_tolerance"].fillna(rows["test_steps"])
    names = [f"{solver} {v:g}" for solver, v in zip(rows["test_solver"], value, strict=True)]
    return ", ".join(sorted(names)) or None


def _setting(row: pd.Series, role: str, solvers: Mapping[str, Solver]) -> Setting:
    solver = solvers[row[f"{role}_solver"]]
    return Setting.of(solver, row[f"{role}_{solver.measure}"])
