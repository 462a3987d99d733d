"""What a study found, in sentences, each number with its interval."""

from collections.abc import Iterator

import pandas as pd

from solverproof.auditing.intervals import mean_interval
from solverproof.auditing.reasons import MISSING
from solverproof.evaluation.scores import score_of
from solverproof.evaluation.validity import has_trained
from solverproof.reporting.html.wording import number
from solverproof.reporting.in_words import bracket, critical_text, percent, with_setting
from solverproof.reporting.reading import critical_row
from solverproof.reporting.study_page.made import Made
from solverproof.reporting.study_page.markup import link, points, tag, text

VERDICTS = {"PASS": "passes", "FAIL": "fails", "INCONCLUSIVE": "does not decide on"}


def claim(made: Made) -> str:
    """The whole study in one sentence, and a sentence or two for each task and training solver."""
    sentences = [_sentence(made, *key) for key in _pairs(made.tables["drops"])]
    return tag("div", tag("p", text(headline(made)), class_="claim")) + points(sentences)


def headline(made: Made) -> str:
    """How many models the audit passes, and how many it does not."""
    drops = made.tables["drops"]
    trained = drops[has_trained(drops)]
    audited = trained.merge(made.tables["audits"], on=["group", "seed"])
    counts = verdict_counts(audited["verdict"])
    told = [f"{VERDICTS[name]} {count:,}" for name, count in counts.items()]
    models = f"{len(drops):,} model{'s' if len(drops) != 1 else ''}"
    lost = len(drops) - len(trained)
    without = f", {lost:,} failed or did not train" if lost else ""
    found = f"Of the {'rest' if lost else models} the audit {_listed(told)}." if told else ""
    return f"Of {models}{without}. {found}".strip() if lost else found


def _listed(parts: list[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def _pairs(drops: pd.DataFrame) -> Iterator[tuple[str, str]]:
    yield from drops[["task", "train_solver"]].drop_duplicates().itertuples(index=False)


def _sentence(made: Made, task: str, solver: str) -> str:
    drops = made.tables["drops"]
    runs = drops[(drops["task"] == task) & (drops["train_solver"] == solver)]
    parts = [
        *_extremes(runs[runs["controller"].isna()]),
        *_bracket(made.tables["critical_steps"], task, solver),
        *_controllers(runs),
    ]
    name = tag("strong", link(f"#cells-{task}-{solver}", f"{task}, {solver}"))
    return f"{name}: {text(' '.join(parts))}"


def _extremes(runs: pd.DataFrame) -> Iterator[str]:
    """With its solver and as an ODE, at the coarsest and at the finest setting."""
    trained = runs[has_trained(runs)]
    if runs.empty:
        return
    if trained.empty:
        yield "No run trained."
        return
    measure = "steps" if trained["train_steps"].notna().any() else "tolerance"
    own = trained[f"train_{measure}"]
    values = sorted(own.unique(), reverse=measure == "tolerance")
    for value in dict.fromkeys((values[0], values[-1])):
        how, scores = with_setting(**{measure: value}), _scores(trained[own == value])
        yield f"Trained {how}, models have {scores}."


def _scores(runs: pd.DataFrame) -> str:
    score = score_of(runs)
    own, flow = _mean(runs[score], score), _mean(runs[f"{score}_reference"], score)
    return f"{score} {own} with their solver and {flow} as ODEs"


def _mean(values: pd.Series, score: str) -> str:
    """`58.8 % (48.9 to 68.7)`, or an error with its interval; a dash where nothing is known."""
    (low, high), middle = mean_interval(values), values.mean()
    if pd.isna(middle):
        return MISSING
    if score == "error":
        return number(middle) + ("" if pd.isna(low) else f" ({number(low)} to {number(high)})")
    # Student's interval does not know that accuracies lie between 0 and 1.
    told = "" if pd.isna(low) else f" ({percent(max(low, 0))} to {percent(min(high, 1))})"
    return f"{percent(middle)} %{told}"


def _bracket(critical: pd.DataFrame, task: str, solver: str) -> Iterator[str]:
    """From which setting on models are valid."""
    row = critical_row(critical, task, solver)
    measure, *ends = bracket(row)
    if pd.isna(ends).all():
        return
    invalid, valid = (with_setting(**{measure: end}) for end in ends)
    if pd.isna(ends[1]):
        yield f"They are not valid under finer solvers, not even {invalid}."
    elif pd.isna(ends[0]):
        yield f"They are valid under finer solvers {valid} or a finer setting."
    else:
        yield (
            f"They are valid under finer solvers {valid} or a finer setting, not {invalid}; the "
            f"critical value is {critical_text(row)}."
        )


def _controllers(runs: pd.DataFrame) -> Iterator[str]:
    for name, group in runs[runs["controller"].notna()].groupby("controller"):
        trained, valid = group[has_trained(group)], int(group["valid"].sum())
        scores = f"they have {_scores(trained)}" if len(trained) else "none trained"
        yield f"With the controller {name} {scores}; {valid} of {len(group)} are valid."


def verdict_counts(verdicts: pd.Series) -> dict[str, int]:
    """How many models have each verdict, of those that occur."""
    counts = verdicts.value_counts()
    return {name: int(counts[name]) for name in VERDICTS if name in counts}
