"""Settings in words."""

import math

import pytest

from solverproof.reporting.in_words import setting_named, setting_text


@pytest.mark.parametrize(
    ("steps", "tolerance", "text"),
    [
        (1, None, "1 step"),
        (64.0, math.nan, "64 steps"),
        (20000, None, "20,000 steps"),
        (None, 0.1, "tolerance 0.1"),
        (38, 1e-7, "tolerance 1e-07"),  # an adaptive solver's steps were counted
        (None, None, "– steps"),
        (math.nan, math.nan, "– steps"),
    ],
)
def test_a_setting_is_worded_by_what_defines_it(steps, tolerance, text):
    assert setting_text(steps, tolerance) == text


def test_a_setting_is_named_with_its_solver():
    assert setting_named("rk4", 8, None) == "rk4 with 8 steps"
    assert setting_named("dopri5", None, 0.1) == "dopri5 at tolerance 0.1"
