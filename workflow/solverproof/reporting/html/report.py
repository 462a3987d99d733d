"""What a report says, in its order, and what a card for a model says."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from solverproof.auditing.reasons import percent
from solverproof.auditing.result import AuditResult, Candidate
from solverproof.reporting.html.blocks import (
    Block,
    Code,
    Heading,
    Paragraph,
    Picture,
    Points,
    Table,
    Title,
    Verdict,
)
from solverproof.reporting.html.measures import checks, facts, others
from solverproof.reporting.html.record import plain
from solverproof.reporting.html.wording import (
    advised_call,
    bidding,
    candidates,
    finding,
    kind_sentence,
    missed,
    number,
    setting_name,
    verdict_sentence,
    with_interval,
)

CAPTIONS = {
    "pareto": (
        "Share of {missed} against evaluations of the field, with intervals at {level} %. Linear "
        "up to what is accepted, logarithmic above. A setting is safe if its interval ends within "
        "the shaded region."
    ),
    "convergence": (
        "Relative error of the final states against the step size. Dotted lines have the observed "
        "order as slope, where it was measured."
    ),
}


def report(result: AuditResult, drawn: Sequence[str]) -> list[Block]:
    """The blocks of a report.

    Args:
        result: of the audit.
        drawn: the figures that there are, of those in `CAPTIONS`.
    """
    told: Mapping[str, Any] = plain(result.measures)
    return [
        Title(title(result)),
        Verdict(result.verdict, verdict_sentence(result)),
        Paragraph(finding(result)),
        Paragraph(kind_sentence(result)),
        *_section("What to do", _advice(result)),
        *_section("Why", [Points(result.reasons)] if result.reasons else []),
        *_section("Cost and agreement", _pictures(result, ["pareto"], drawn)),
        *_section("Error and step size", _pictures(result, ["convergence"], drawn)),
        *_section("Settings", _settings(result) if len(result.settings) else []),
        *checks(told),
        *others(told),
        *_section("Made with", _provenance(result)),
    ]


def card(result: AuditResult) -> list[Block]:
    """The blocks for a model's card."""
    safe = [row for row in candidates(result) if row.safe]
    # What computes a flow that nobody trained is not safe.
    bound = result.kind == "solver-bound"
    agreeing = "settings that agree with its flow" if bound else "safe settings"
    rows = [
        ("audited", f"{setting_name(result.deployed)}; {result.samples:,} samples"),
        ("verdict", f"{result.verdict}. {finding(result)}"),
        ("kind", kind_sentence(result)),
        ("what to do", bidding(result)),
        (agreeing, "; ".join(_by_solver(safe)) or "none found"),
        ("audited by", _signature(result)),
    ]
    return [Heading("Solver audit"), Table("Solver audit", ("", ""), rows), *_code(result)]


def title(result: AuditResult) -> str:
    """`Solver audit of NAME`, if the model has one."""
    name = result.provenance.get("model")
    return f"Solver audit of {name}" if name else "Solver audit"


def _section(heading: str, blocks: Sequence[Block]) -> Sequence[Block]:
    """Blocks under a heading; neither if there are none."""
    return [Heading(heading), *blocks] if blocks else []


def _advice(result: AuditResult) -> list[Block]:
    return [Paragraph(bidding(result)), *_code(result)]


def _code(result: AuditResult) -> list[Block]:
    call = advised_call(result)
    return [Code(call)] if call else []


def _pictures(result: AuditResult, names: Sequence[str], drawn: Sequence[str]) -> list[Block]:
    words = {"missed": missed(result), "level": number(100 * result.confidence)}
    return [Picture(name, CAPTIONS[name].format(**words)) for name in names if name in drawn]


def _settings(result: AuditResult) -> list[Block]:
    """One row for each setting, the cheapest first."""
    rows = sorted(candidates(result), key=lambda row: row.nfe if row.nfe > 0 else 1e18)
    level = number(100 * result.confidence)
    heads = (
        "setting", "evaluations", f"disagreement in % ({level} %)", "safe", "error, median",
        "95th percentile", "largest", "certified in %", "µs per sample", "",
    )  # fmt: skip
    marked = frozenset(i for i, row in enumerate(rows) if row.deployed)
    cells = [_cells(row, result) for row in rows]
    told = (
        "The cheapest first. Safe: surely no farther from the flow than is accepted. Errors are "
        "distances of final states from the reference, relative to its norm. Frontier: none that "
        "is cheaper agrees as well."
    )
    return [
        Paragraph(told),
        Table("Settings", heads, cells, frozenset({1, 2, 4, 5, 6, 7, 8}), marked),
    ]


def _cells(row: Candidate, result: AuditResult) -> tuple[str, ...]:
    return (
        setting_name(row),
        number(row.nfe),
        with_interval(row.disagreement, row.disagreement_low, row.disagreement_high),
        "✓" if row.safe else "✗",
        number(row.error_relative_median),
        number(row.error_relative_p95),
        number(row.error_relative_max),
        percent(row.certified),
        number(1e6 * row.seconds_per_sample),
        "; ".join(_notes(row, result)),
    )


def _notes(row: Candidate, result: AuditResult) -> Iterator[str]:
    if row.deployed:
        yield "deployed"
    advice = result.advice
    own = ("solver", "steps", "tolerance", "atol")
    if advice and all(getattr(row, name) == getattr(advice, name) for name in own):
        yield "advised"
    if row.pareto:
        yield "frontier"
    if row.status != "ok":
        yield f"{row.status}: {row.reason}" if row.reason else row.status


def _by_solver(rows: Sequence[Candidate]) -> Iterator[str]:
    """`rk4 with 8, 16 steps` for each solver."""
    for (solver, adaptive), group in groupby(rows, lambda row: (row.solver, row.steps is None)):
        if adaptive:
            yield f"{solver} at {', '.join(_tolerance(row) for row in group)}"
        else:
            yield f"{solver} with {', '.join(number(row.steps) for row in group)} steps"


def _tolerance(row: Candidate) -> str:
    absolute = "" if row.atol is None else f" (atol {number(row.atol)})"
    return f"{number(row.tolerance)}{absolute}"


def _provenance(result: AuditResult) -> list[Block]:
    told = plain(result.provenance)
    return [facts("Made with", told)] if told else []


def _signature(result: AuditResult) -> str:
    """`Solverproof VERSION, DATE`, as far as they are known."""
    made = plain(result.provenance)
    version = (made.get("versions") or {}).get("solverproof", "")
    day = re.match(r"\d{4}-\d{2}-\d{2}", str(made.get("finished", "")))
    return f"Solverproof {version}".strip() + (f", {day[0]}" if day else "")
