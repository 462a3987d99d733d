"""Every way to train of a study, over its seeds: what its models are worth, and as an ODE."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from solverproof.auditing.intervals import mean_interval
from solverproof.evaluation.rows import UNTRAINED
from solverproof.evaluation.scores import has_score
from solverproof.evaluation.validity import has_trained
from solverproof.files import columns
from solverproof.reporting.in_words import (
    percent,
    score_with_interval,
    setting_text,
    with_interval,
    with_largest,
)
from solverproof.reporting.reading import OF_WAY

MEASURES = [
    "accuracy_reference", "accuracy", "error_reference", "error", "drop", "disagreement",
    "accuracy_alone", "changed_alone",
]  # fmt: skip
PARTS = ("mean", "low", "high")


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A row of `settings.csv`: a setting of the grid, or a controller, over its seeds.

    It is followed by the columns NAME_mean, _low and _high of each of `MEASURES`, as `Drop` has
    them: the mean over seeds that trained, with Student's interval at 95 %.

    Attributes:
        task, train_solver: the task and the training solver.
        controller: what chose the setting in training; None of the grid.
        train_steps, train_tolerance: of the grid's setting.
        seeds, seeds_valid, seeds_failed, seeds_untrained: numbers of seeds.
        drop_max, disagreement_max: the largest of any seed.
    """

    task: str
    train_solver: str
    controller: str | None
    train_steps: float | None
    train_tolerance: float | None
    seeds: int
    seeds_valid: int
    seeds_failed: int
    seeds_untrained: int
    drop_max: float
    disagreement_max: float


def settings(drops: pd.DataFrame) -> pd.DataFrame:
    """The table, from the columns of `Drop`."""
    # A controller ends with another setting for each seed.
    grid = drops["controller"].isna()
    ways = drops.assign(
        train_steps=drops["train_steps"].where(grid),
        train_tolerance=drops["train_tolerance"].where(grid),
    )
    groups = ways.groupby(OF_WAY, dropna=False)
    rows = [
        {**dict(zip(OF_WAY, way, strict=True)), **over_seeds(runs, MEASURES)}
        for way, runs in groups
    ]
    measured = [f"{name}_{part}" for name in MEASURES for part in PARTS]
    table = pd.DataFrame(rows, columns=[*columns(Trained), *measured])
    # the grid first
    return table.sort_values(OF_WAY, na_position="first", ignore_index=True)


def over_seeds(runs: pd.DataFrame, measures: Sequence[str]) -> dict[str, Any]:
    """Numbers of seeds, and means of measures over those that trained, of one way to train.

    Args:
        runs: rows of `drops.csv`.
        measures: columns, drop and disagreement among them.
    """
    trained = runs.loc[has_trained(runs), measures]
    low, high = mean_interval(trained)
    return {
        "seeds": len(runs),
        "seeds_valid": int(runs["valid"].sum()),
        "seeds_failed": int((~has_score(runs)).sum()),
        "seeds_untrained": int((runs["status"] == UNTRAINED).sum()),
        "drop_max": trained["drop"].max(),
        "disagreement_max": trained["disagreement"].max(),
        **trained.mean().add_suffix("_mean"),
        **low.add_suffix("_low"),
        **high.add_suffix("_high"),
    }


def settings_readable(table: pd.DataFrame) -> pd.DataFrame:
    """The table of `settings` for readers, without columns that are empty."""
    rows = [row for _, row in table.iterrows()]
    readable = pd.DataFrame(
        {
            "task": table["task"],
            "training solver": table["train_solver"],
            "setting": [_setting(row) for row in rows],
            "accuracy as an ODE (%, 95 %)": [
                score_with_interval(row, "_reference") for row in rows
            ],
            "with its solver (%, 95 %)": [score_with_interval(row) for row in rows],
            "alone (%, 95 %)": [with_interval(row, "accuracy_alone") for row in rows],
            "changed alone (%, 95 %)": [with_interval(row, "changed_alone") for row in rows],
            "drop, mean (95 %) / largest (%)": [with_largest(row, "drop") for row in rows],
            "predictions unlike the flow's, mean (95 %) / largest (%)": [
                with_largest(row, "disagreement") for row in rows
            ],
            "valid": [_valid(row) for row in rows],
        }
    )
    return readable.loc[:, (readable != percent(math.nan)).any()]


def _setting(row: pd.Series) -> str:
    if pd.notna(row["controller"]):
        return str(row["controller"])
    return setting_text(row["train_steps"], row["train_tolerance"])


def _valid(row: pd.Series) -> str:
    lacking = [
        f"{row[f'seeds_{why}']} {why}" for why in ("failed", "untrained") if row[f"seeds_{why}"]
    ]
    return ", ".join([f"{row['seeds_valid']} of {row['seeds']}", *lacking])
