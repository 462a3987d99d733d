"""What got worse between two audits of a model: a gate for continuous integration."""

from collections.abc import Iterator, Mapping
from typing import Any

from solverproof.reporting.html.wording import number, with_interval
from solverproof.reporting.in_words import setting_named

# from good to bad
VERDICTS = ("PASS", "INCONCLUSIVE", "FAIL")
KINDS = ("ode", "solver-bound", "unresolved")

Audit = Mapping[str, Any]


def compare(old: Audit, new: Audit) -> list[str]:
    """A sentence for everything that is worse in the newer of two audits; none if nothing is.

    Args:
        old: as `read_audit` reads it.
        new: the same.
    """
    parts = (_demands, _verdict, _kind, _disagreement, _safe_settings, _advice)
    return [sentence for part in parts for sentence in part(old, new)]


def _demands(old: Audit, new: Audit) -> Iterator[str]:
    """Otherwise accepting more would be a way to pass."""
    if old["judged"] != new["judged"]:
        yield f"{new['judged']} are judged now, and {old['judged']} were: not the same measure."
    elif new["accept"] > old["accept"]:
        yield f"{number(new['accept'])} is accepted now, and {number(old['accept'])} was."


def _verdict(old: Audit, new: Audit) -> Iterator[str]:
    if VERDICTS.index(new["verdict"]) > VERDICTS.index(old["verdict"]):
        setting = setting_named(**_setting(new["deployed"]))
        yield f"The verdict on {setting} is {new['verdict']}, and was {old['verdict']}."


def _kind(old: Audit, new: Audit) -> Iterator[str]:
    if KINDS.index(new["kind"]) > KINDS.index(old["kind"]):
        yield f"The model is {new['kind']}, and was {old['kind']}."


def _disagreement(old: Audit, new: Audit) -> Iterator[str]:
    """Worse only where the intervals are apart; what lies in both may be chance."""
    low, high = new["disagreement_interval"][0], old["disagreement_interval"][1]
    if old["disagreement"] is None:
        return
    if new["disagreement"] is None:
        yield f"The disagreement is not known, and was {_share(old)} %."
    elif low is not None and high is not None and low > high:
        yield f"The disagreement is {_share(new)} %, and was {_share(old)} %."


def _share(audit: Audit) -> str:
    return with_interval(audit["disagreement"], *audit["disagreement_interval"])


def _safe_settings(old: Audit, new: Audit) -> Iterator[str]:
    """Those that were tried again; of others nothing is known."""
    before = {_key(row): row for row in old["settings"] if row["safe"]}
    for row in new["settings"]:
        if not row["safe"] and _key(row) in before:
            yield (
                f"{setting_named(**_setting(row))} is safe no more: disagreement "
                f"{_row_share(row)} %, and was {_row_share(before[_key(row)])} %."
            )


def _row_share(row: Audit) -> str:
    return with_interval(row["disagreement"], row["disagreement_low"], row["disagreement_high"])


def _key(row: Audit) -> tuple[Any, ...]:
    return tuple(_setting(row).values())


def _setting(row: Audit) -> dict[str, Any]:
    # records of before have no absolute tolerance
    return {name: row.get(name) for name in ("solver", "steps", "tolerance", "atol")}


def _advice(old: Audit, new: Audit) -> Iterator[str]:
    before, now = old["advice"], new["advice"]
    if before is None:
        return
    was = f"{setting_named(**_setting(before))} was, with {number(before['nfe'])} evaluations"
    if now is None:
        yield f"No setting is advised; {was}."
    elif now["nfe"] > before["nfe"]:
        setting = setting_named(**_setting(now))
        cost = f"{number(now['nfe'])} evaluations"
        yield f"The cheapest safe setting is {setting}, with {cost}; {was}."
