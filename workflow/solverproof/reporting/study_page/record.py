"""What the results were made with: configuration, versions, machines, seeds, times."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from solverproof.reporting.html.wording import readable
from solverproof.reporting.specifications import PageSpec
from solverproof.reporting.study_page.cells import duration
from solverproof.reporting.study_page.made import Cell
from solverproof.reporting.study_page.markup import facts, table, tag, text

OF_CELL = {"seeds", "setting", "solver", "controller", "name", "task"}


def configuration(cells: Sequence[Cell]) -> str:
    """What defines the trainings of each task, as their records have it."""
    tasks: dict[str, Mapping[str, Any]] = {}
    for cell in cells:
        tasks.setdefault(cell.task, cell.run["spec"])
    parts = []
    for task, spec in tasks.items():
        common = {name: value for name, value in spec.items() if name not in OF_CELL}
        pairs = [(name, text(readable(value))) for name, value in _flat(common)]
        title = tag("h3", text(task), id=f"configuration-{task}")
        parts.append(title + facts(pairs))
    return "".join([*parts, *_controllers(cells)])


def _controllers(cells: Sequence[Cell]) -> Iterator[str]:
    found = {
        cell.run["spec"]["name"]: cell.run["spec"]["controller"]
        for cell in cells
        if "controller" in cell.run["spec"]
    }
    for name, controller in found.items():
        pairs = [(key, text(readable(value))) for key, value in _flat(controller)]
        yield tag("h3", text(f"controller {name}")) + facts(pairs)


def _flat(node: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in node.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _origins(run: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "versions", ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    machine = run["machine"]
    yield "machine", f"{machine['processor']}, {machine['cores']} cores, {machine['platform']}"
    yield "device", run["device"]
    yield "commit", run.get("commit") or "not known"


def made_with(cells: Sequence[Cell], spec: PageSpec) -> str:
    """Versions, machines and commits, with the numbers of cells, and what is counted as valid."""
    counts = Counter(told for cell in cells for told in _origins(cell.run))
    rows = [[text(kind), text(value), text(n)] for (kind, value), n in counts.items()]
    seeds = sorted({seed for cell in cells for seed in cell.seeds})
    total = sum(cell.run["wall_seconds"] for cell in cells)
    pairs = [
        ("seeds", text(readable(seeds))),
        ("cells", text(readable(len(cells)))),
        ("time of all trainings", text(duration(total))),
        ("largest drop that is valid", text(readable(spec.tables.threshold))),
    ]
    return facts(pairs) + table("Made with", ["what", "value", "cells"], rows)
