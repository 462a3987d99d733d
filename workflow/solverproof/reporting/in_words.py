"""Numbers and settings as people read them."""

from __future__ import annotations  # the end of a run is told without pandas

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def setting_named(
    solver: str, steps: float | None, tolerance: float | None, atol: float | None = None
) -> str:
    """A setting in words, the solver by the name that torchdiffeq knows: `rk4 with 8 steps`."""
    if atol is not None:  # another than the relative tolerance
        return f"{solver} at rtol {tolerance:g} and atol {atol:g}"
    return f"{solver} {with_setting(steps, tolerance)}"


def with_setting(steps: float | None = None, tolerance: float | None = None) -> str:
    """`with 8 steps`, or `at tolerance 0.1`."""
    return f"{'with' if _lacks(tolerance) else 'at'} {setting_text(steps, tolerance)}"


def setting_text(steps: float | None = None, tolerance: float | None = None) -> str:
    """`8 steps`, or `tolerance 0.1`: an adaptive solver has both, and its steps were counted."""
    if tolerance is not None and not _lacks(tolerance):
        return f"tolerance {tolerance:g}"
    if steps is None or _lacks(steps):  # nothing was counted where a solver gave up
        return "– steps"
    return f"{steps:,.0f} step{'s' if steps != 1 else ''}"


def _lacks(value: float | None) -> bool:
    return value is None or math.isnan(value)


def percent(share: float) -> str:
    """A share in percent with one decimal."""
    return "–" if _lacks(share) else f"{100 * share:.1f}"


def with_interval(
    row: pd.Series | Mapping[str, float], name: str, *, least: float = -math.inf
) -> str:
    """A mean share in percent with its interval, given the columns NAME_mean, _low and _high.

    Args:
        row: of a table with these columns.
        name: of the share.
        least: what no such share is below.
    """
    mean, low, high = (row[f"{name}_{part}"] for part in ("mean", "low", "high"))
    if _lacks(mean) or _lacks(low):
        return percent(mean)
    # Student's interval does not know that no share is above 1; an increase of errors may be.
    low, high = max(low, least), min(high, max(mean, 1.0))
    return f"{percent(mean)} ({percent(low)} to {percent(high)})"


def with_largest(row: pd.Series, name: str) -> str:
    """The same, and the largest of the shares, in the column NAME_max."""
    mean = with_interval(row, name)
    return mean if _lacks(row[f"{name}_max"]) else f"{mean} / {percent(row[f'{name}_max'])}"


def score_with_interval(row: pd.Series | Mapping[str, float], of: str = "") -> str:
    """The mean accuracy in percent, or `error 0.123` of real values, each with its interval.

    Args:
        row: of a table with columns accuracy{of}_mean, _low, _high, and error{of}_mean, ….
        of: empty, or `_reference`.
    """
    mean, low, high = (row[f"error{of}_{part}"] for part in ("mean", "low", "high"))
    if _lacks(mean):
        return with_interval(row, f"accuracy{of}", least=0.0)
    interval = "" if _lacks(low) else f" ({max(low, 0.0):.3f} to {high:.3f})"
    return f"error {mean:.3f}{interval}"


def critical_text(row: pd.Series) -> str:
    """`41 (35 to 60)`; an end beyond the settings that were run is `open`."""
    name = f"critical_{measured_by(row)}"
    low, high = (
        _two_digits(row[f"{name}_{end}"]) if 0 < row[f"{name}_{end}"] < math.inf else "open"
        for end in ("low", "high")
    )
    estimate = "–" if _lacks(row[name]) else _two_digits(row[name])
    return f"{estimate} ({low} to {high})"


def _two_digits(value: float) -> str:
    """Two significant digits, of hundreds without a power of ten."""
    return f"{float(f'{value:.2g}'):g}"


def bracket(row: pd.Series | Mapping[str, float]) -> tuple[str, float, float]:
    """What the critical bracket is measured by, and its ends: the invalid and the valid setting."""
    measure = measured_by(row)
    return measure, row[f"invalid_{measure}"], row[f"valid_{measure}"]


def bracket_text(row: pd.Series | Mapping[str, float]) -> str:
    """The critical bracket, or on which side of all settings it lies."""
    measure, invalid, valid = bracket(row)
    if _lacks(valid):
        return f"no setting valid (finest: {setting_text(**{measure: invalid})})"
    if _lacks(invalid):
        return f"all valid (coarsest: {setting_text(**{measure: valid})})"
    ends = f"{invalid:g}–{valid:g}"
    return f"{ends} steps" if measure == "steps" else f"tolerance {ends}"


def runs_text(row: pd.Series) -> str:
    """How many runs failed, did not train, or are not resolved."""
    return " / ".join(str(row[f"{kind}_runs"]) for kind in ("failed", "untrained", "unresolved"))


def measured_by(row: pd.Series | Mapping[str, float]) -> str:
    """`tolerance` or `steps`, by which columns of the bracket are filled."""
    adaptive = not _lacks(row["valid_tolerance"]) or not _lacks(row["invalid_tolerance"])
    return "tolerance" if adaptive else "steps"
