"""From what single models lose to the critical step or tolerance of a task and training solver."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from solverproof.auditing.intervals import mean_interval
from solverproof.evaluation.rows import UNTRAINED
from solverproof.evaluation.scores import SCORES, has_score, score_of
from solverproof.evaluation.validity import has_trained, is_valid
from solverproof.files import columns
from solverproof.ode.solvers import SOLVERS, Solver

# By which critical settings are given; real values have no predictions that could disagree.
MEASURES = {
    "accuracy": ("drop", "drop_reference", "disagreement"),
    "error": ("drop", "drop_reference"),
}


@dataclass(frozen=True, kw_only=True)
class _Of:
    task: str
    train_solver: str
    measure: str


@dataclass(frozen=True, kw_only=True)
class Bracket:
    """The critical setting of a task, a training solver and a measure.

    Attributes:
        invalid_steps, valid_steps: the critical bracket of steps, by the mean of the measure over
            the seeds that trained; the same for tolerances.
        critical_steps, ...: an estimate of where that mean falls to the threshold, with an interval
            at 95 % (`crossing`). An end of 0 or infinity lies beyond the settings that were run;
            the estimate is None where it does.
    """

    invalid_steps: float | None = None
    valid_steps: float | None = None
    invalid_tolerance: float | None = None
    valid_tolerance: float | None = None
    critical_steps: float | None = None
    critical_steps_low: float | None = None
    critical_steps_high: float | None = None
    critical_tolerance: float | None = None
    critical_tolerance_low: float | None = None
    critical_tolerance_high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Critical(Bracket, _Of):
    """A row of `critical_steps.csv`, for a task, a training solver and a measure.

    The columns of `Bracket` come after the first three.

    Attributes:
        task, train_solver: the task and the training solver.
        measure: what must be at most the threshold: `drop`, the paper's, `drop_reference` or
            `disagreement`.
        seeds: number of seeds.
        seeds_never_valid: number of seeds that are not valid even at the finest setting.
        seeds_valid_steps_min, ...: the spread of the valid ends of the other seeds' own brackets.
        failed_runs: number of runs without a score, over all settings.
        untrained_runs: number of runs whose score is worse than the task's floor.
        unresolved_runs: number of runs that trained and do not have this measure.
        measure_mean, measure_low, measure_high: the measure at the coarsest valid setting, over the
            seeds that trained, with Student's interval at 95 %.
        accuracy_reference_mean, ...: the accuracy of the models' flows there, alike.
        accuracy_mean, ...: the accuracy with the training setting there, alike.
        accuracy_sd: its standard deviation.
        error_reference_mean, ..., error_sd: the same of the errors of real values.
    """

    seeds: int
    seeds_never_valid: int
    seeds_valid_steps_min: float | None = None
    seeds_valid_steps_median: float | None = None
    seeds_valid_steps_max: float | None = None
    seeds_valid_tolerance_min: float | None = None
    seeds_valid_tolerance_median: float | None = None
    seeds_valid_tolerance_max: float | None = None
    failed_runs: int
    untrained_runs: int
    unresolved_runs: int
    measure_mean: float
    measure_low: float
    measure_high: float
    accuracy_reference_mean: float
    accuracy_reference_low: float
    accuracy_reference_high: float
    accuracy_mean: float
    accuracy_low: float
    accuracy_high: float
    accuracy_sd: float
    error_reference_mean: float
    error_reference_low: float
    error_reference_high: float
    error_mean: float
    error_low: float
    error_high: float
    error_sd: float


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


def crossing(
    places: np.ndarray, values: np.ndarray, threshold: float
) -> tuple[float, float, float]:
    """Where the mean of a measure over seeds falls to a threshold for good, with its interval.

    Between two settings each seed's measure is interpolated linearly, which is its regression on
    the two settings nearest to the crossing; over more of them a drop is no line, for it is level
    on either side. The interval is that of Student for the mean, solved for the place: coarser than
    its low end the mean is above the threshold, finer than its high end it is not, each at 97.5 %.

    Args:
        places: log2 of the settings, ascending, shape (settings,).
        values: the measure, shape (seeds, settings); NaN of runs that do not count.
        threshold: the largest valid value.

    Returns:
        Place, low end, high end, to a hundredth of an octave; minus infinity is coarser than all
        settings, infinity finer.
    """
    at = np.unique(np.append(places, np.arange(places[0], places[-1], 0.01)))
    curves = pd.DataFrame(_interpolated(places, values, at))
    low, high = mean_interval(curves)
    # What is not known is neither surely above nor surely below.
    surely_above = ~is_valid(low, threshold) & low.notna()
    return (
        _finest(at, ~is_valid(curves.mean(), threshold)),
        _finest(at, surely_above),
        _finest(at, ~is_valid(high, threshold)),
    )


def _interpolated(places: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Values at other places between the first and the last; NaN beside one that is NaN."""
    left = np.searchsorted(places, at, side="right") - 1
    right = np.minimum(left + 1, len(places) - 1)
    share = (at - places[left]) / np.where(right > left, places[right] - places[left], 1)
    between = (1 - share) * values[:, left] + share * values[:, right]
    # 0 * NaN is NaN, but at a place itself its neighbour does not matter.
    found: np.ndarray = np.where(share == 0, values[:, left], between)
    return found


def _finest(at: np.ndarray, above: pd.Series) -> float:
    """The finest place above the threshold."""
    if above.iloc[-1]:
        return math.inf
    return float(at[above].max(initial=-math.inf))


def critical_steps(
    drops: pd.DataFrame,
    threshold: float,
    solvers: Mapping[str, Solver] = SOLVERS,
    *,
    error_threshold: float = math.inf,
) -> pd.DataFrame:
    """The critical bracket of every task and training solver, in the columns of `Critical`.

    Runs with a controller are left out.
    """
    thresholds = {"accuracy": threshold, "error": error_threshold}
    groups = drops[drops["controller"].isna()].groupby(["task", "train_solver"], sort=True)
    found = [
        vars(_critical(group, measure, thresholds[score_of(group)], solvers))
        for _, group in groups
        for measure in MEASURES[score_of(group)]
    ]
    return pd.DataFrame(found, columns=columns(Critical))


def _critical(
    group: pd.DataFrame, measure: str, threshold: float, solvers: Mapping[str, Solver]
) -> Critical:
    solver = solvers[group["train_solver"].iloc[0]]
    # Runs that failed or did not train are counted, not averaged.
    trained = has_trained(group)
    by_seed = by_seed_and_setting(group, group[measure].where(trained), solver)
    settings, found_bracket = _settings(by_seed), critical_setting(by_seed, threshold, solver)
    valid = getattr(found_bracket, f"valid_{solver.measure}")
    own = [bracket(settings, list(is_valid(row, threshold)))[1] for row in by_seed.to_numpy()]
    # The type is given, because the list is empty when no seed is ever valid.
    found = pd.Series([n for n in own if n is not None], dtype="Float64")
    # Without a valid setting this selects no row, and mean and deviation are NaN.
    at_valid = group[trained & (group[f"train_{solver.measure}"] == valid)]
    measured: dict[str, Any] = {
        **vars(found_bracket),
        f"seeds_valid_{solver.measure}_min": found.min(),
        f"seeds_valid_{solver.measure}_median": found.median(),
        f"seeds_valid_{solver.measure}_max": found.max(),
        **_mean("measure", at_valid[measure]),
    }
    for score in SCORES:
        measured |= _mean(f"{score}_reference", at_valid[f"{score}_reference"])
        measured |= {**_mean(score, at_valid[score]), f"{score}_sd": at_valid[score].std()}
    return Critical(
        task=group["task"].iloc[0],
        train_solver=solver.name,
        measure=measure,
        seeds=len(own),
        seeds_never_valid=len(own) - len(found),
        failed_runs=int((~has_score(group)).sum()),
        untrained_runs=int((group["status"] == UNTRAINED).sum()),
        unresolved_runs=int((trained & group[measure].isna()).sum()),
        **measured,
    )


def by_seed_and_setting(runs: pd.DataFrame, values: pd.Series, solver: Solver) -> pd.DataFrame:
    """A measure of runs by seed and training setting, from coarse to fine.

    Args:
        runs: of one training solver; with the columns of `Run`.
        values: the measure of each; NaN of runs that do not count.
        solver: the training solver.
    """
    runs = runs.assign(value=values, setting=runs[f"train_{solver.measure}"])
    table = runs.pivot_table("value", index="seed", columns="setting", dropna=False)
    return table.sort_index(axis=1, ascending=not solver.is_adaptive)


def critical_setting(by_seed: pd.DataFrame, threshold: float, solver: Solver) -> Bracket:
    """The critical bracket of a measure, and an estimate of the setting with its interval.

    Args:
        by_seed: the measure, as `by_seed_and_setting` gives it.
        threshold: the largest valid value.
        solver: the training solver.
    """
    invalid, valid = bracket(_settings(by_seed), list(is_valid(by_seed.mean(), threshold)))
    finer = -1 if solver.is_adaptive else 1  # the sign that makes finer settings larger
    places = finer * np.log2(by_seed.columns.to_numpy(float))
    found = crossing(places, by_seed.to_numpy(float), threshold)
    estimate, *ends = (2 ** (finer * place) for place in found)
    low, high = sorted(ends)
    name = f"critical_{solver.measure}"
    return Bracket(
        **{
            f"invalid_{solver.measure}": invalid,
            f"valid_{solver.measure}": valid,
            name: estimate if 0 < estimate < math.inf else None,
            f"{name}_low": low,
            f"{name}_high": high,
        }
    )


def _settings(by_seed: pd.DataFrame) -> list[float]:
    found: list[float] = by_seed.columns.to_numpy(float).tolist()
    return found


def _mean(name: str, values: pd.Series) -> dict[str, float]:
    low, high = mean_interval(values)
    return {f"{name}_mean": values.mean(), f"{name}_low": low, f"{name}_high": high}
