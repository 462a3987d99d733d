"""Numbers of tables as people read them."""

import math

import pandas as pd


def percent(share: float) -> str:
    """A share in percent with one decimal."""
    return "–" if pd.isna(share) else f"{100 * share:.1f}"


def with_interval(row: pd.Series, name: str) -> str:
    """A mean share in percent with its interval, given the columns NAME_mean, _low and _high."""
    mean, low, high = (row[f"{name}_{part}"] for part in ("mean", "low", "high"))
    if pd.isna(mean) or pd.isna(low):
        return percent(mean)
    # Student's interval does not know that no share is above 1; an increase of errors may be.
    return f"{percent(mean)} ({percent(low)} to {percent(min(high, max(mean, 1.0)))})"


def with_largest(row: pd.Series, name: str) -> str:
    """The same, and the largest of the shares, in the column NAME_max."""
    mean = with_interval(row, name)
    return mean if pd.isna(row[f"{name}_max"]) else f"{mean} / {percent(row[f'{name}_max'])}"


def score_with_interval(row: pd.Series, of: str = "") -> str:
    """The mean accuracy in percent, or `error 0.123` of real values, each with its interval.

    Args:
        row: of a table with columns accuracy{of}_mean, _low, _high, and error{of}_mean, ….
        of: empty, or `_reference`.
    """
    mean, low, high = (row[f"error{of}_{part}"] for part in ("mean", "low", "high"))
    if pd.isna(mean):
        return with_interval(row, f"accuracy{of}")
    interval = "" if pd.isna(low) else f" ({low:.3f} to {high:.3f})"
    return f"error {mean:.3f}{interval}"


def critical_text(row: pd.Series) -> str:
    """`41 (35 to 60)`; an end beyond the settings that were run is `open`."""
    name = f"critical_{measured_by(row)}"
    low, high = (
        _two_digits(row[f"{name}_{end}"]) if 0 < row[f"{name}_{end}"] < math.inf else "open"
        for end in ("low", "high")
    )
    estimate = "–" if pd.isna(row[name]) else _two_digits(row[name])
    return f"{estimate} ({low} to {high})"


def _two_digits(value: float) -> str:
    """Two significant digits, of hundreds without a power of ten."""
    return f"{float(f'{value:.2g}'):g}"


def bracket(row: pd.Series) -> tuple[str, float, float]:
    """What the critical bracket is measured by, and its ends: the invalid and the valid setting."""
    measure = measured_by(row)
    return measure, row[f"invalid_{measure}"], row[f"valid_{measure}"]


def bracket_text(row: pd.Series) -> str:
    """The critical bracket, or on which side of all settings it lies."""
    measure, invalid, valid = bracket(row)
    if pd.isna(valid):
        return f"no setting valid (finest: {measure} {invalid:g})"
    if pd.isna(invalid):
        return f"all valid (coarsest: {measure} {valid:g})"
    return f"{measure} {invalid:g}–{valid:g}"


def runs_text(row: pd.Series) -> str:
    """How many runs failed, did not train, or are not resolved."""
    return " / ".join(str(row[f"{kind}_runs"]) for kind in ("failed", "untrained", "unresolved"))


def measured_by(row: pd.Series) -> str:
    """`tolerance` or `steps`, by which columns of the bracket are filled."""
    adaptive = pd.notna(row["valid_tolerance"]) or pd.notna(row["invalid_tolerance"])
    return "tolerance" if adaptive else "steps"
