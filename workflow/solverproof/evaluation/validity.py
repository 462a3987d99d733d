"""Is a trained model an ODE? What it loses under finer solvers, and under its own flow."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from types import MappingProxyType
from typing import Any

import pandas as pd

from solverproof.errors import InputError
from solverproof.evaluation.rows import REFERENCE, SAMPLE, UNTRAINED, Run
from solverproof.evaluation.scores import (
    GUESS_ERROR,
    SCORES,
    WORTHLESS,
    goodness,
    has_score,
    lost,
    score_with,
)
from solverproof.files import columns
from solverproof.ode.solvers import SOLVERS, Setting, Solver, is_at_least_as_accurate


@dataclass(frozen=True, kw_only=True)
class _Loss:
    accuracy: float
    error: float = math.nan
    nfe: int
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
        nfe: evaluations of a forward pass with these, of all test samples together.
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


AGAIN = "delete them, and the jobs that write them make them again"
Row = Mapping[str, Any]  # of evaluations.csv
RUN = columns(Run)
WORST = {"accuracy": min, "error": max}  # the first of equal ones
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

    Raises:
        InputError: if a run has no row of its own setting, or a row a solver or a setting that
            there is not.
    """
    thresholds = {"accuracy": threshold, "error": error_threshold}
    found = [vars(_drop(rows, thresholds, solvers)) for rows in _runs(evaluations)]
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


def _runs(evaluations: pd.DataFrame) -> Iterator[list[Row]]:
    """The rows of each run, sorted by the columns of `Run`."""
    # Steps, tolerance and controller are empty for some runs, which groupby would leave out.
    run = evaluations.groupby(RUN, dropna=False, sort=True).ngroup()
    table = evaluations.assign(run=run).sort_values("run", kind="stable")
    # Plain dictionaries, because of some twenty rows each a table is ten times as slow.
    tuples = table.itertuples(index=False, name=None)
    rows = (dict(zip(table.columns, values, strict=True)) for values in tuples)
    for _, of_run in groupby(rows, key=itemgetter("run")):
        yield list(of_run)


def _drop(
    rows: Sequence[Row], thresholds: Mapping[str, float], solvers: Mapping[str, Solver]
) -> Drop:
    first = rows[0]
    score = score_with([row["error"] for row in rows])
    train = _setting(first, "train", solvers)
    solved = [row for row in rows if row["test_solver"] != REFERENCE]
    alone = [row for row in solved if row["control"] == SAMPLE]
    tests = [(_setting(r, "test", solvers), r) for r in solved if r["control"] != SAMPLE]
    own = next((row for test, row in tests if test == train), None)
    if own is None:
        raise InputError(f"evaluations of {first['task']}: none with {train.words}; {AGAIN}")
    finer = [row for test, row in tests if is_at_least_as_accurate(test, train)]
    # Comparisons with NaN are false: without a reference nothing is left out.
    not_finer = [row for row in finer if row["state_error"] > own["state_error"]]
    finer = [row for row in finer if not row["state_error"] > own["state_error"]]
    result: dict[str, Any] = {
        **{name: first[name] for name in RUN},
        **{name: own[name] for name in (*SCORES, "nfe")},
        "not_finer": _settings_of(not_finer),
        "disagreement": own["disagreement"],
        **_of_alone(alone, train, solvers),
        **_of_reference(rows, own[f"{score}_paired"], score),
    }
    if pd.isna(own[score]):
        return Drop(**result, status=own["status"], reason=own["reason"])
    # Leaving a model on which a finer solver gave up out of the mean over seeds would make the
    # others decide for it.
    unknown = next((row for row in finer if pd.isna(row[score])), None)
    worst = unknown or WORST[score](finer, key=itemgetter(score))
    left = WORTHLESS[score] if unknown else worst[score]
    told = unknown or own
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


def _of_alone(
    alone: Iterable[Row], train: Setting, solvers: Mapping[str, Solver]
) -> dict[str, Any]:
    """The columns of the training setting where it solves every sample alone, if it can."""
    own = next((row for row in alone if _setting(row, "test", solvers) == train), None)
    if own is None:
        return {}
    scores = {f"{score}_alone": own[score] for score in SCORES}
    return {**scores, "changed_alone": own["changed_alone"]}


def _of_reference(rows: Iterable[Row], own: float, score: str) -> dict[str, Any]:
    """The columns of the flow, of which there is one row, or none if the model failed."""
    flow = [row for row in rows if row["test_solver"] == REFERENCE]
    if not flow:
        return {}
    row, *others = flow
    if others:
        raise InputError(f"evaluations of {row['task']}: a run is there twice; name a file once")
    return {
        **{f"{name}_reference": row[name] for name in SCORES},
        "drop_reference": lost(own, row[score], score),
        "reference": row["status"]
        if row["status"] == "ok"
        else f"{row['status']}: {row['reason']}",
    }


def _settings_of(rows: Iterable[Row]) -> str | None:
    """Test settings in words: `midpoint 2, rk4 2`, or `dopri5 0.01`."""
    names = []
    for row in rows:
        # Tolerance first: of an adaptive solver the steps are those it happened to take.
        value: float = (
            row["test_steps"] if pd.isna(row["test_tolerance"]) else row["test_tolerance"]
        )
        names.append(f"{row['test_solver']} {value:g}")
    return ", ".join(sorted(names)) or None


def _setting(row: Row, role: str, solvers: Mapping[str, Solver]) -> Setting:
    name = row[f"{role}_solver"]
    try:
        return Setting.of(solvers[name], row[f"{role}_{solvers[name].measure}"])
    except (KeyError, ValueError) as error:
        message = f"evaluations of {row['task']}: the solver {name} is not known, or has no setting"
        raise InputError(f"{message}; {AGAIN}") from error
