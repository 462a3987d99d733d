"""Every trained cell: its seeds, its history, its audit, and what to deploy it with."""

from collections.abc import Iterator, Sized
from itertools import groupby
from typing import Any

import pandas as pd

from solverproof.auditing.reasons import MISSING
from solverproof.evaluation.scores import score_of
from solverproof.reporting.html.wording import KINDS, number, with_interval
from solverproof.reporting.in_words import percent, setting_text
from solverproof.reporting.study_page.advice import advice
from solverproof.reporting.study_page.claim import verdict_counts
from solverproof.reporting.study_page.curves import history
from solverproof.reporting.study_page.made import Cell, Made
from solverproof.reporting.study_page.markup import facts, link, points, table, tag, text

NOTE = (
    "Settings that are advised are the cheapest of those tested whose predictions are surely the "
    "flow's, on the same samples, but for the share that is accepted. For one seed of every model "
    "in the explorer the audit has tried other solvers as well, and what it advises is confirmed "
    "on samples that did not choose it."
)


def cells(made: Made) -> str:
    """Cells by task and training solver; each can be linked to by its path."""
    parts = [tag("p", text(sentences(first_of(made.cells, len(made.shown), "cells"), NOTE)))]
    shown = {cell.path for cell in made.shown}
    for pair, group in groupby(made.cells, lambda cell: cell.path.split("/")[:2]):
        parts.append(tag("h3", text(", ".join(pair)), id=f"cells-{'-'.join(pair)}"))
        parts += [_cell(made, cell) for cell in group if cell.path in shown]
    return "".join(parts)


def first_of(rows: Sized, most: int, what: str) -> str:
    """What is said where only the first ones are shown; nothing where all are."""
    told = f"The first {most:,} of {len(rows):,} {what}; the others are in the study's tables."
    return told if len(rows) > most else ""


def sentences(*told: str) -> str:
    """Those that say anything, in one line."""
    return " ".join(filter(None, told))


def _cell(made: Made, cell: Cell) -> str:
    runs, audits = made.of_cell("drops", cell), made.of_cell("audits", cell)
    merged = runs.merge(audits, on="seed", suffixes=("", "_audit"), how="left")
    summary = tag("summary", tag("span", text(_label(cell))), " ", *_counts(merged))
    inside = [
        _seeds(cell, merged),
        points(_advice(made, cell, runs, audits)),
        history(cell.history) if len(cell.history) else "",
        _record(cell),
    ]
    return tag("details", summary, *inside, class_="cell", id=cell.path)


def _label(cell: Cell) -> str:
    """`64 steps, seeds 0 to 4`."""
    _, _, label, _ = cell.path.split("/")
    own, seeds = cell.run["spec"].get("setting"), cell.seeds
    how = setting_text(own.get("steps"), own.get("tolerance")) if own else label
    span = f"seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}"
    return f"{how}, {span}"


def _counts(runs: pd.DataFrame) -> Iterator[str]:
    for verdict, count in verdict_counts(runs["verdict"]).items():
        yield tag("span", text(f"{count} {verdict}"), class_=f"mark {verdict.lower()}") + " "
    for status, count in runs.loc[runs["status"] != "ok", "status"].value_counts().items():
        yield tag("span", text(f"{count} {status}"), class_="mark") + " "


def _seeds(cell: Cell, runs: pd.DataFrame) -> str:
    score = score_of(runs)
    shown = percent if score == "accuracy" else number
    unit = " (%)" if score == "accuracy" else ""
    lost = "drop (%)" if score == "accuracy" else "increase under finer solvers (%)"
    columns = [
        "seed", "setting", f"{score} with its solver{unit}", f"{score} as an ODE{unit}", lost,
        "unlike the flow (%, 95 %)", "verdict", "kind", "status",
    ]  # fmt: skip
    rows = [
        [
            text(row["seed"]),
            text(setting_of(row)),
            text(shown(row[score])),
            text(shown(row[f"{score}_reference"])),
            text(percent(row["drop"])),
            text(_disagreement(row)),
            _verdict(row["verdict"]),
            text(KINDS.get(row["kind"], MISSING)),
            text(status_text(row["status"], row["reason"])),
        ]
        for _, row in runs.iterrows()
    ]
    return table(f"Seeds of {cell.path}", columns, rows)


def _disagreement(row: pd.Series) -> str:
    return with_interval(*(row[f"disagreement_{part}"] for part in ("audit", "low", "high")))


def setting_of(row: pd.Series) -> str:
    """The setting of a run, which with a controller is the one at the end."""
    return setting_text(row["train_steps"], row["train_tolerance"])


def status_text(status: str, reason: Any) -> str:
    """A status with its reason."""
    return status if pd.isna(reason) else f"{status}: {reason}"


def _verdict(verdict: Any) -> str:
    if pd.isna(verdict):
        return MISSING
    return tag("span", text(verdict), class_=f"mark {str(verdict).lower()}")


def _advice(made: Made, cell: Cell, runs: pd.DataFrame, audits: pd.DataFrame) -> Iterator[str]:
    """One sentence for all seeds that it holds for."""
    tests, found = made.of_cell("evaluations", cell), dict[str, list[str]]()
    audits_of = {audit["seed"]: audit for _, audit in audits.iterrows()}
    for _, run in runs.iterrows():
        own = tests[tests["seed"] == run["seed"]]
        found.setdefault(advice(run, audits_of[run["seed"]], own), []).append(str(run["seed"]))
    for sentence, seeds in found.items():
        who = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}"
        yield text(f"{who[0].upper()}{who[1:]}: {sentence}")


def _record(cell: Cell) -> str:
    run = cell.run
    nfe = ", ".join(number(value) for value in run["mean_nfe"].values()) or MISSING
    pairs = [
        ("iterations", text(number(run["iterations"]))),
        ("evaluations of a forward pass, mean of each seed", text(nfe)),
        ("time of training", text(duration(run["wall_seconds"]))),
        ("device", text(run["device"])),
        ("commit", text(run.get("commit") or "not known")),
        ("configuration", link(f"#configuration-{cell.task}", cell.task)),
    ]
    return facts(pairs)


def duration(seconds: float) -> str:
    """`12 s`, `3.4 min`, `2.1 h`."""
    if seconds < 100:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 6000 else f"{seconds / 3600:.3g} h"
