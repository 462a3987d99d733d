"""Critical settings by several criteria of being an ODE, beside the verdicts of the audit."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from solverproof.evaluation.audit_rows import VERDICTS, Audit
from solverproof.evaluation.critical import Bracket, by_seed_and_setting, critical_setting
from solverproof.evaluation.rows import UNTRAINED, Run
from solverproof.evaluation.scores import score_of
from solverproof.evaluation.validity import is_valid
from solverproof.files import columns
from solverproof.ode.solvers import SOLVERS, Solver

OF_DROPS = ["drop", "valid", "error"]  # columns of `drops.csv` that `audits.csv` has as well


@dataclass(frozen=True, kw_only=True)
class _Of:
    task: str
    train_solver: str
    controller: str | None
    criterion: str
    threshold: float


@dataclass(frozen=True, kw_only=True)
class Criterion(Bracket, _Of):
    """A row of `criteria.csv`, for a task, a training solver or a controller, and a criterion.

    The columns of `Bracket` come after the first five; those of a controller, whose settings are no
    grid, are empty.

    Attributes:
        task, train_solver: the task and the training solver.
        controller: that chose the setting in training; None of a grid of settings.
        criterion: `accuracy`, the drop under finer solvers; `disagreement`, the share of samples
            that miss the flow; `control_ratio`, the share whose control ratio is 1 or more;
            `crossing`, the number of Euler steps at which trajectories cross, relative to N.
        threshold: the largest value that meets it.
        met_pass, met_inconclusive, met_fail: numbers of models that trained and meet it, by the
            verdict of their audit.
        unmet_pass, unmet_inconclusive, unmet_fail: of those that do not meet it.
        failed_runs: number of runs without a model.
        untrained_runs: number of runs whose score is worse than the task's floor.
        unresolved_runs: number of runs that trained and do not have this measure.
    """

    met_pass: int
    met_inconclusive: int
    met_fail: int
    unmet_pass: int
    unmet_inconclusive: int
    unmet_fail: int
    failed_runs: int
    untrained_runs: int
    unresolved_runs: int


def with_drops(audits: pd.DataFrame, drops: pd.DataFrame) -> pd.DataFrame:
    """Audits with what `drops.csv` knows of the same runs: the drop, and which are untrained.

    Args:
        audits: one row per run, in the columns of `Audit`.
        drops: one row per run, in the columns of `Drop`.
    """
    # As objects, because a column that is empty in one table has another type there.
    run = columns(Run)
    keys = audits[run].astype(object)
    known = drops[[*OF_DROPS, "status"]].join(drops[run].astype(object))
    found = keys.merge(known, how="left", on=run, validate="one_to_one").set_index(audits.index)
    status = audits["status"].where(found["status"] != UNTRAINED, UNTRAINED)
    return audits.assign(status=status, **found[OF_DROPS])[[*columns(Audit), *OF_DROPS]]


def criteria(
    audits: pd.DataFrame,
    threshold: float,
    error_threshold: float = math.inf,
    solvers: Mapping[str, Solver] = SOLVERS,
) -> pd.DataFrame:
    """The critical setting of every task and training solver by each criterion.

    It is found as in `critical_steps.csv`: where the mean of a measure over the seeds that trained
    falls to its threshold for good. Three criteria have the thresholds of the audit and the paper;
    trajectories do not cross where N is at least the number of steps below which they would.

    Args:
        audits: one row per run, as `with_drops` gives them.
        threshold: the largest drop of accuracy that is valid.
        error_threshold: the largest relative increase of an error that is.
        solvers: the solvers in the table, by name.

    Returns:
        Rows in the columns of `Criterion`.
    """
    thresholds = {"accuracy": threshold, "error": error_threshold}
    groups = audits.groupby(["task", "train_solver", "controller"], dropna=False, sort=True)
    found = [vars(row) for _, group in groups for row in _rows(group, thresholds, solvers)]
    return pd.DataFrame(found, columns=columns(Criterion))


def _rows(
    group: pd.DataFrame, thresholds: Mapping[str, float], solvers: Mapping[str, Solver]
) -> Iterator[Criterion]:
    solver, score = solvers[group["train_solver"].iloc[0]], score_of(group)
    accepted = float(group["accepted"].max())  # the same in all rows of a task
    yield _criterion(group, "accuracy", group["drop"], thresholds[score], solver)
    yield _criterion(group, "disagreement", group["disagreement"], accepted, solver)
    if score == "accuracy":
        yield _criterion(group, "control_ratio", group["uncontrolled"], accepted, solver)
    if solver.kind == "fixed" and solver.stages == 1:
        # Relative to N, which falls to 1 where the two meet.
        yield _criterion(group, "crossing", group["crossing"] / group["train_steps"], 1.0, solver)


def _criterion(
    group: pd.DataFrame, name: str, values: pd.Series, threshold: float, solver: Solver
) -> Criterion:
    has_model, untrained = group["verdict"].notna(), group["status"] == UNTRAINED
    counted = has_model & ~untrained
    values = values.astype(float).where(counted)
    met = is_valid(values, threshold)
    sides: Mapping[str, pd.Series] = {"met": met, "unmet": values.notna() & ~met}
    counts: dict[str, Any] = {
        f"{side}_{verdict.lower()}": int((chosen & (group["verdict"] == verdict)).sum())
        for side, chosen in sides.items()
        for verdict in VERDICTS
    }
    controller = group["controller"].iloc[0]
    is_grid = pd.isna(controller)
    by_seed = by_seed_and_setting(group, values, solver)
    place = critical_setting(by_seed, threshold, solver) if is_grid else Bracket()
    return Criterion(
        task=group["task"].iloc[0],
        train_solver=solver.name,
        controller=None if is_grid else controller,
        criterion=name,
        threshold=threshold,
        **vars(place),
        **counts,
        failed_runs=int((~has_model).sum()),
        untrained_runs=int((has_model & untrained).sum()),
        unresolved_runs=int((counted & values.isna()).sum()),
    )
