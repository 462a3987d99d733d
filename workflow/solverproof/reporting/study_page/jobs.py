"""The graph of jobs: which rules there are, how many jobs each has, what they wait for."""

from collections.abc import Mapping, Sequence

from solverproof.reporting.study_page.cells import duration
from solverproof.reporting.study_page.made import Cell
from solverproof.reporting.study_page.markup import table, tag, text

# What each rule waits for; of the figures, which have many rules, all that any of them does.
WAITS = {
    "prepare": (),
    "train": ("prepare",),
    "adapt": ("prepare",),
    "evaluate": ("prepare", "train", "adapt"),
    "audit": ("prepare", "train", "adapt", "evaluate"),
    "trace": ("prepare", "train"),
    "explore": ("prepare", "train", "adapt"),
    "tabulate": ("evaluate",),
    "gather": ("audit", "tabulate"),
    "compare": ("train", "adapt", "tabulate"),
    "figures": ("adapt", "trace", "tabulate", "gather", "compare"),
    "report": ("train", "adapt", "explore", "tabulate", "gather", "compare", "figures"),
}
COLUMNS = (
    ("prepare",), ("train", "adapt"), ("evaluate", "trace", "explore"), ("audit", "tabulate"),
    ("gather", "compare"), ("figures",), ("report",),
)  # fmt: skip
WIDE, HIGH, BOX, TALL = 112, 60, 88, 40


def graph(jobs: Mapping[str, int]) -> str:
    """The rules as boxes, from left to right."""
    columns = [[rule for rule in column if jobs.get(rule)] for column in COLUMNS]
    columns = [column for column in columns if column]
    places = _places(columns)
    edges = [(above, rule) for rule in places for above in _direct(rule, places)]
    width, height = WIDE * len(columns), HIGH * max(map(len, columns))
    drawn = tag(
        "svg",
        *(_edge(places[above], places[rule]) for above, rule in edges),
        *(_box(rule, jobs[rule], place) for rule, place in places.items()),
        viewBox=f"0 0 {width} {height}",
        role="img",
        aria_label="Rules of the workflow with their numbers of jobs; the table tells the same",
    )
    return tag("div", drawn, class_="scroll graph", tabindex=0, role="region", aria_label="Graph")


def _places(columns: Sequence[Sequence[str]]) -> dict[str, tuple[float, float]]:
    height = max(map(len, columns))
    return {
        rule: (WIDE * i, HIGH * (j + (height - len(column)) / 2))
        for i, column in enumerate(columns)
        for j, rule in enumerate(column)
    }


def _direct(rule: str, places: Mapping[str, object]) -> list[str]:
    """What a rule waits for, without what that waits for anyhow."""
    waits = [above for above in WAITS[rule] if above in places]
    return [a for a in waits if not any(a in _all_above(b) for b in waits if b != a)]


def _all_above(rule: str) -> set[str]:
    return set(WAITS[rule]).union(*map(_all_above, WAITS[rule]))


def _edge(start: tuple[float, float], end: tuple[float, float]) -> str:
    x, y = start[0] + BOX, start[1] + HIGH / 2
    to_x, to_y = end[0], end[1] + HIGH / 2
    middle = (x + to_x) / 2
    return tag("path", d=f"M{x},{y}C{middle},{y} {middle},{to_y} {to_x},{to_y}", class_="edge")


def _box(rule: str, count: int, place: tuple[float, float]) -> str:
    x, y = place[0], place[1] + (HIGH - TALL) / 2
    middle = x + BOX / 2
    told = f"{count:,} job{'s' if count != 1 else ''}"
    return (
        tag("rect", x=x, y=y, width=BOX, height=TALL, rx=4)
        + tag("text", text(rule), x=middle, y=y + 17, class_="rule")
        + tag("text", text(told), x=middle, y=y + 32, class_="count")
    )


def listed(jobs: Mapping[str, int], cells: Sequence[Cell]) -> str:
    """The same as a table, with the times that Snakemake recorded."""
    rows = []
    for rule in (rule for rule in WAITS if jobs.get(rule)):
        seconds = [cell.seconds[rule] for cell in cells if rule in cell.seconds]
        times = (duration(sum(seconds)), duration(max(seconds))) if seconds else ("–", "–")
        waits = ", ".join(above for above in WAITS[rule] if jobs.get(above)) or "–"
        rows.append([text(cell) for cell in (rule, f"{jobs[rule]:,}", waits, *times)])
    return table("Rules", ["rule", "jobs", "waits for", "time, all jobs", "longest"], rows)
