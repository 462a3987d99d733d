"""Whether a study that was run again gives the numbers that were published."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from scipy.special import stdtr

from solverproof.errors import InputError
from solverproof.reporting.in_words import setting_text
from solverproof.reporting.reading import read_csv

DEFAULT = "default"  # the study whose results lie in no folder of their own
DROPS = "drops.csv"  # a row per model, from whose scores all conclusions are drawn
CHANCE = 0.05  # that any mean at all is said to differ where machines alone do
# Of the changes of seeds: one sample of five hundred. Two seeds may both gain one sample, which
# without this would be beyond chance, for they have no spread.
LEAST_SPREAD = 0.002
PLACE = ["task", "train_solver", "setting"]
MEASURES = {
    "trained": "seeds that trained",
    "accuracy_reference": "accuracy as an ODE",
    "error_reference": "error as an ODE",
    "accuracy": "accuracy with its solver",
    "error": "error with its solver",
    "drop": "drop",
    "disagreement": "predictions unlike the flow's",
}
IN_UNITS = ("error_reference", "error")  # all others are shares


class Difference(NamedTuple):
    """A mean over seeds that is not the published one.

    Attributes:
        place: task, training solver and setting.
        measure: a column of `MEASURES`.
        published, now: the means, over the seeds that both have.
        chance: the probability of means so far apart, or farther, if only chance moved the seeds;
            NaN of a single seed.
    """

    place: str
    measure: str
    published: float
    now: float
    chance: float

    @property
    def words(self) -> str:
        """The difference in one line."""
        factor, unit = (1, "") if self.measure in IN_UNITS else (100, " %")
        then, now = factor * self.published, factor * self.now
        means = f"{then:.4g}{unit} published, {now:.4g}{unit} now ({now - then:+.2g})"
        return f"{MEASURES[self.measure]}, {self.place}: {means}"


@dataclass(frozen=True)
class Verification:
    """What a comparison with published tables found.

    Attributes:
        models: number of published models.
        missing: those that are not in the tables now.
        equal: those that have the same scores to the last digit.
        differences: means that are not the published ones.
    """

    models: int
    missing: list[str]
    equal: int
    differences: list[Difference]

    @property
    def beyond_chance(self) -> list[Difference]:
        """Differences that machines do not explain, by Bonferroni's rule."""
        return [d for d in self.differences if d.chance * len(self.differences) < CHANCE]

    @property
    def agrees(self) -> bool:
        """Whether nothing is missing and nothing is beyond chance."""
        return not self.missing and not self.beyond_chance

    @property
    def lines(self) -> Iterator[str]:
        """What to tell a person."""
        yield f"{self.equal} of {self.models} models have the published scores, to the last digit."
        if self.missing:
            told = ", ".join(self.missing[:3]) + (", …" if len(self.missing) > 3 else "")
            yield f"{len(self.missing)} are not there: {told}."
        if not self.differences:
            return
        beyond = self.beyond_chance
        yield (
            f"{len(self.differences)} means over seeds differ, {len(beyond)} of them by more than "
            "chance. Another machine rounds otherwise, and training amplifies that."
        )
        yield from (f"  beyond chance: {d.words}" for d in beyond)
        within = [d for d in self.differences if d not in beyond]
        shares = [d for d in within if d.measure not in IN_UNITS]
        if shares:
            largest = max(shares, key=lambda d: abs(d.now - d.published))
            yield f"  the largest within it: {largest.words}"


def published_studies(results: Path, published: Path) -> Iterator[tuple[str, Path, Path]]:
    """Name, tables now and published tables of every study that was published.

    Args:
        results: the folder of results; that of an overlay lies in it under the overlay's name.
        published: a folder like that of its results per study, `default` and those of overlays.

    Raises:
        InputError: if nothing is published there.
    """
    folders = sorted(table.parents[1] for table in published.glob(f"*/tables/{DROPS}"))
    if not folders:
        raise InputError(f"{published}: no published tables; give a folder like docs/results")
    for folder in folders:
        study = results if folder.name == DEFAULT else results / folder.name
        yield folder.name, study / "tables", folder / "tables"


def verify(now: Path, published: Path) -> Verification:
    """Compare the models of a study with published ones, seed by seed.

    Seeds have the same weights and batches on every machine, so each is held against itself. A
    machine that rounds otherwise moves single seeds up and down; a mean that moves by more than its
    seeds do (Student's test of paired differences, at 5 % over all means that differ at all) is not
    explained by that.

    Args:
        now: the folder of tables of a study that ran.
        published: the folder of published tables.

    Raises:
        InputError: if one of them has no table of models.
    """
    ours, theirs = _models(now), _models(published)
    here = theirs.index.isin(ours.index)
    missing = [" ".join(map(str, place)) for place in theirs.index[~here]]
    theirs = theirs[here]
    ours = ours.loc[theirs.index]
    changes = (ours - theirs).where(ours.notna() | theirs.notna(), 0.0)
    same = (changes == 0).all(axis=1)
    return Verification(len(here), missing, int(same.sum()), _differences(ours, theirs))


def _models(folder: Path) -> pd.DataFrame:
    """The measures of every model; a controller's setting is its name, for its steps may differ."""
    table = folder / DROPS
    if not table.is_file():
        raise InputError(f"{table}: no such file; give a folder with the tables of a study")
    drops = read_csv(table)
    pairs = zip(drops["train_steps"], drops["train_tolerance"], strict=True)
    setting = pd.Series([setting_text(*pair) for pair in pairs], drops.index)
    drops["setting"] = drops["controller"].fillna(setting)
    drops["trained"] = (drops["status"] == "ok").astype(float)
    return drops.set_index([*PLACE, "seed"])[list(MEASURES)].astype(float)


def _differences(ours: pd.DataFrame, theirs: pd.DataFrame) -> list[Difference]:
    found = []
    for place, group in theirs.groupby(PLACE, sort=False):
        for measure in MEASURES:
            pairs = pd.DataFrame({"now": ours.loc[group.index, measure], "then": group[measure]})
            pairs = pairs.dropna()
            change = pairs["now"] - pairs["then"]
            if (change != 0).any():
                means = pairs.mean()
                words = " ".join(map(str, place))
                found.append(
                    Difference(words, measure, means["then"], means["now"], _chance(change))
                )
    return found


def _chance(change: pd.Series) -> float:
    """Student's test of paired differences."""
    spread = max(change.std(), LEAST_SPREAD)
    distance = abs(change.mean()) / (spread / math.sqrt(len(change)))
    return float(2 * stdtr(len(change) - 1, -distance)) if len(change) > 1 else math.nan
