"""The further measures of an audit as blocks, whatever was measured."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from solverproof.auditing.reasons import MISSING
from solverproof.reporting.html.blocks import Block, Heading, Paragraph, Table
from solverproof.reporting.html.wording import readable

# What a reader needs to know of a group; one that is not here is shown without.
GROUPS = {
    "reference": (
        "The reference",
        "The flow in float64, by two unlike solvers, refined until they agree. Their distance is "
        "an estimate of the reference's error, not a bound.",
    ),
    "order": (
        "Observed order",
        "The slope of the error against the step size, both logarithmic. With kinks in the "
        "field, as ReLU has, it is 2 at most, whatever the solver.",
    ),
    "growth": (
        "Growth of errors",
        "Natural logarithms of factors: by how much an early error may grow at most (integral, of "
        "the logarithmic norm along the flow), and by how much the worst small one does "
        "(stretching). Smaller steps make errors smaller, and not this.",
    ),
    "stability": (
        "Stability",
        "Eigenvalues of the step size times the Jacobian, frozen along the flow, against the "
        "solver's region of stability: evidence, not proof.",
    ),
    "mechanism": (
        "Damping against growth",
        "The share of states, and of eigenvalues there, at which a step amplifies what the flow "
        "damps (amplified), or the reverse (damped): evidence of a cause, not proof.",
    ),
    "crossing": (
        "Crossing",
        "With fewer steps of Euler than this, neighbouring solutions meet within a step somewhere; "
        "that it cannot be inverted, as a flow always can, is sure only where it folds. More steps "
        "prove nothing.",
    ),
    "lipschitz": (
        "Lipschitz constant",
        "Of the field at states that were met: a bound from below, of which small values prove "
        "nothing.",
    ),
    "margins": (
        "Margins",
        "The control ratio is how much of its lead a prediction loses; below 1 it stays as it is "
        "(controlled: the share of these). With a linear head, the margin is how far a final state "
        "may move before its prediction can change, and certified the share that is moved less.",
    ),
    "labels": (
        "Against the labels",
        "Predictions that are right with the deployed setting, with the flow, and the paired "
        "difference.",
    ),
}
CHECKS = "checks"  # has a section of its own


def checks(measures: Mapping[str, Any]) -> Iterator[Block]:
    """The section of the checks of the call; nothing if there were none."""
    found = measures.get(CHECKS) or []
    if found:
        rows = [_check(check) for check in found]
        wrong = frozenset(i for i, check in enumerate(found) if check.get("ok") is False)
        yield Heading("Checks of the call")
        yield Table("Checks of the call", ("check", "", "value", ""), rows, marked=wrong)


def _check(check: Mapping[str, Any]) -> tuple[str, ...]:
    ok, sentence = check.get("ok"), check.get("sentence") or ""
    holds = MISSING if ok is None else "✓ holds" if ok else "✗ does not"
    return _named(check.get("name", MISSING)), holds, _cell(check.get("value")), sentence


def others(measures: Mapping[str, Any]) -> Iterator[Block]:
    """A section for each group of measures, and one for those that stand alone."""
    alone = {}
    for name, value in measures.items():
        if not isinstance(value, dict):
            alone[name] = value
        elif value:
            title, told = GROUPS.get(name, (_named(name).capitalize(), ""))
            yield Heading(title)
            if told:
                yield Paragraph(told)
            yield from _tables(title, value)
    alone.pop(CHECKS, None)
    if alone:
        yield Heading("Further measures")
        yield from _tables("Further measures", alone)


def facts(label: str, group: Mapping[str, Any]) -> Table:
    """A group of values as a table of names and values; groups in it are told by their name."""
    return Table(label, ("", "value"), list(_facts(group)))


def _tables(label: str, group: Mapping[str, Any]) -> Iterator[Block]:
    """Values as one table of facts; each list of rows, and groups alike, as a table of its own."""
    if all(isinstance(value, dict) and value for value in group.values()):
        rows = [{"": _named(name), **values} for name, values in group.items()]
        yield _rows(label, rows)
        return
    lists = {name: value for name, value in group.items() if _is_table(value)}
    rest = {name: value for name, value in group.items() if name not in lists}
    if rest:
        yield facts(label, rest)
    for name, rows in lists.items():
        yield _rows(f"{label}: {_named(name)}", rows)


def _rows(label: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    heads = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[_cell(row.get(head)) for head in heads] for row in rows]
    return Table(label, list(map(_named, heads)), cells)


def _is_table(value: Any) -> bool:
    """Whether this is a list of rows."""
    rows = value if isinstance(value, Sequence) and not isinstance(value, str) else []
    return bool(rows) and all(isinstance(row, dict) and row for row in rows)


def _facts(group: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    for name, value in group.items():
        here = (*path, _named(name))
        if isinstance(value, dict):
            yield from _facts(value, here)
        else:
            yield ", ".join(here), _cell(value)


def _cell(value: Any) -> str:
    """A value on one line; a table within a table stays as it is."""
    if isinstance(value, dict):
        return "; ".join(f"{name}: {told}" for name, told in _facts(value)) or MISSING
    return readable(value)


def _named(key: str) -> str:
    return str(key).replace("_", " ")
