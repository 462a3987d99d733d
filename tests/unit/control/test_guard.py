"""The test at the end of a training: what it passes, how often it may err, and what follows."""

import math
from bisect import bisect_left

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from torch import nn

from solverproof import StepController
from solverproof.auditing.intervals import share_interval
from solverproof.control.guard import DOUBT, confidence_of, least_samples
from solverproof.errors import InputError

SPEED = 3.0  # radians in the interval
# Two classes, parted by a line through the middle; as a head that counts its samples' leads.
HEAD = nn.Linear(2, 2, bias=False)
HEAD.weight = nn.Parameter(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))


def turning(_, z):
    return SPEED * torch.stack([-z[:, 1], z[:, 0]], 1)


def around(samples):
    angles = 2 * math.pi * (torch.arange(samples) + 0.5) / samples
    return torch.stack([angles.cos(), angles.sin()], 1)


def unlike(steps):
    """The share of a circle that Euler puts on the other side, in closed form."""
    return (SPEED - steps * math.atan(SPEED / steps)) / math.pi


def controller(steps, **keys):
    return StepController(turning, HEAD, solver="euler", first_steps=steps, **keys)


@given(share=st.floats(0.001, 0.3), samples=st.integers(1, 3000))
@settings(max_examples=20, deadline=None)
def test_all_tests_together_pass_a_model_with_too_many_misses_in_one_of_twenty_cases(
    share, samples
):
    def passes(count, test):
        return share_interval(count, samples, confidence_of(test))[1] <= share

    chance = 0.0
    for test in range(1, 8):
        # the first count that does not pass; passing falls with the count
        most = bisect_left(range(samples), 1, key=lambda count, k=test: not passes(count, k))
        chance += binom.cdf(most - 1, samples, share)
    assert chance <= DOUBT


def test_where_all_may_miss_one_sample_will_do():
    assert least_samples(1.0, 3) == 1


@given(share=st.floats(0.001, 0.5), tests=st.integers(1, 20))
def test_the_fewest_samples_are_those_with_which_none_may_miss(share, tests):
    least, confidence = least_samples(share, tests), confidence_of(tests)
    assert share_interval(0, least, confidence)[1] <= share * (1 + 1e-9)
    assert least == 1 or share_interval(0, least - 1, confidence)[1] > share


def test_a_step_is_halved_until_the_model_is_its_flow():
    point = controller(8)
    assert unlike(8) > unlike(16) > 0.01 > 3 * unlike(32)
    answers = [point.confirm(around(2000)) for _ in range(3)]
    assert answers == [False, False, True]
    assert point.deployed.steps == 32
    assert point.agreement.share == pytest.approx(unlike(32), abs=1 / 1000)


def test_what_is_not_shown_is_not_passed():
    few = controller(32)
    assert not few.confirm(around(440))
    assert few.agreement.share < 0.01 < few.agreement.high
    assert few.deployed.steps == 64


def test_samples_too_few_for_any_model_are_refused_and_nothing_is_spent():
    few = controller(32)
    with pytest.raises(InputError, match=r"^100 samples cannot show .* give 437 or more$"):
        few.confirm(around(100))
    assert few.deployed.steps == 32
    assert few.point.tests == few.nfe == 0
    for _ in range(2):
        few.confirm(around(574))
    with pytest.raises(InputError, match=r"give 574 or more$"):
        few.confirm(around(573))


def test_a_step_that_failed_never_grows_back():
    tried, failed = (controller(40, accept=0.3) for _ in range(2))
    # samples that the flow turns just over the line, and forty steps do not
    angle = torch.tensor(math.pi / 2 - SPEED + math.pi / 2 * unlike(40))
    assert not failed.confirm(torch.stack([angle.cos(), angle.sin()]).repeat(20, 1))
    assert failed.agreement.share == 1
    for one in (tried, failed):
        for _ in range(200):
            one.setting(around(500))
    assert tried.deployed.steps < 40
    assert failed.deployed.steps == 80


def test_how_clearly_it_fails_changes_nothing_of_what_follows():
    barely, clearly = controller(8, accept=0.035), controller(8)
    for one in (barely, clearly):
        assert not one.confirm(around(2000))
    assert barely.agreement.high / 0.035 < 0.5 * clearly.agreement.high / 0.01
    assert barely.point.state == clearly.point.state


def test_its_evaluations_count_and_its_tests_go_on_from_a_state():
    one, other = controller(8), controller(8)
    one.confirm(around(600))
    assert one.nfe > 3 * 8
    other.load_state_dict(one.state_dict())
    assert [p.confirm(around(600)) for p in (one, other)] == [False, False]
    assert other.deployed == one.deployed
    assert other.point.tests == 2
    assert other.agreement.high == one.agreement.high
