"""The observed orders and evaluations of torchdiffeq's own adaptive and multistep methods."""

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from defined import autonomous
from torchdiffeq import odeint
from torchdiffeq._impl.fixed_adams import _BASHFORTH_DIVISOR
from torchdiffeq._impl.odeint import SOLVERS as TORCHDIFFEQ

from solverproof.ode.integration import solve
from solverproof.ode.solvers import SOLVERS, Setting
from solverproof.ode.tableaux import order_of

SMALL = torch.tensor([0.05], dtype=torch.float64)
# many, so that the sign changes of the error in time do not show as a wrong order
MANY = torch.linspace(0.02, 1.8, 21, dtype=torch.float64)
# (horizon, numbers of steps): where the order shows, between large steps and rounding
RANGES = {
    "fehlberg2": (4.0, [64, 128, 256]),
    "adaptive_heun": (4.0, [64, 128, 256]),
    "bosh3": (4.0, [32, 64, 128]),
    "dopri5": (4.0, [64, 128, 256]),
    "dopri8": (6.0, [12, 16, 24, 32]),
    "explicit_adams": (0.5, [64, 128, 256]),
    "implicit_adams": (2.0, [16, 32, 64]),
}
# The steps of an Adams method gain an order each, from the third step on; the third alone sets the
# order of the whole: of Adams-Bashforth 3 it leaves h^4, of Adams-Moulton 4 it leaves h^5, as the
# two starting steps of rk4 do.
ADAMS = {"explicit_adams": 4, "implicit_adams": 5}
ADAPTIVE = sorted(name for name in RANGES if name not in ADAMS)


def logistic(state):
    return state * (1 - state)


def exact(start, time):
    grown = start * math.exp(time)
    return grown / (1 - start + grown)


class Counted:
    """The field, counting its evaluations."""

    def __init__(self):
        self.evaluations = 0

    def __call__(self, _, state):
        self.evaluations += 1
        return logistic(state)


def equal_steps(method, steps, horizon):
    """An adaptive method held to one step size.

    Sizes are short binary fractions, so their sum is exact.
    """
    h, field = horizon / steps, Counted()
    ends = torch.tensor([0.0, horizon], dtype=torch.float64)
    options = {"first_step": h, "min_step": h, "max_step": h, "step_t": ends[1:]}
    return odeint(field, MANY, ends, method=method, options=options)[-1], field.evaluations


def observed_order(start, end, horizon, numbers_of_steps):
    errors = [
        torch.linalg.vector_norm(end(steps) - exact(start, horizon)).item()
        for steps in numbers_of_steps
    ]
    return -np.polyfit(np.log(numbers_of_steps), np.log(errors), 1)[0]


def test_every_adaptive_and_multistep_method_is_looked_at():
    own = {
        name for name, solver in SOLVERS.items() if solver.kind != "fixed" and not solver.tableau
    }
    assert own == set(RANGES)


@pytest.mark.parametrize("name", ADAPTIVE)
def test_an_adaptive_method_has_its_order_when_its_steps_are_equal(name):
    horizon, steps = RANGES[name]
    order = observed_order(MANY, lambda n: equal_steps(name, n, horizon)[0], horizon, steps)
    assert order == pytest.approx(SOLVERS[name].order, abs=0.3)


@pytest.mark.parametrize("name", ADAPTIVE)
def test_the_coefficients_of_an_adaptive_method_meet_the_conditions_of_its_order_and_no_higher_one(
    name,
):
    theirs = TORCHDIFFEQ[name].tableau
    a = [[], *([Fraction(x) for x in row.tolist()] for row in theirs.beta)]
    assert order_of(a, [Fraction(x) for x in theirs.c_sol.tolist()]) == SOLVERS[name].order


@pytest.mark.parametrize("name", ADAPTIVE)
@pytest.mark.parametrize("steps", [1, 8, 32])
def test_a_step_of_an_adaptive_method_takes_its_evaluations_and_the_first_one_more(name, steps):
    assert equal_steps(name, steps, 4.0)[1] == 1 + steps * SOLVERS[name].stages


@pytest.mark.parametrize("name", ADAMS)
def test_an_adams_method_has_the_order_of_its_third_step(name):
    horizon, steps = RANGES[name]
    order = observed_order(
        SMALL,
        lambda n: (
            solve(autonomous(logistic), SMALL, Setting.of(SOLVERS[name], n), horizon=horizon).state
        ),
        horizon,
        steps,
    )
    assert order == pytest.approx(ADAMS[name], abs=0.2)


@pytest.mark.parametrize("name", ADAMS)
@pytest.mark.parametrize("steps", [1, 2])
def test_the_first_two_steps_of_an_adams_method_are_those_of_rk4(name, steps):
    ours, rk4 = (
        solve(autonomous(logistic), SMALL, Setting.of(SOLVERS[method], steps), horizon=0.5)
        for method in (name, "rk4")
    )
    assert torch.equal(ours.state, rk4.state)
    assert ours.nfe == rk4.nfe == 4 * steps


@pytest.mark.parametrize("steps", [3, 7, 64])
def test_a_later_step_of_an_adams_method_takes_one_evaluation_and_one_for_each_correction(steps):
    explicit, implicit = (
        solve(autonomous(logistic), SMALL, Setting.of(SOLVERS[name], steps), horizon=0.5)
        for name in ADAMS
    )
    assert explicit.nfe == 8 + (steps - 2)
    assert (
        8 + 2 * (steps - 2) <= implicit.nfe <= 8 + 5 * (steps - 2)
    )  # torchdiffeq corrects at most four times


def test_explicit_adams_is_unstable_at_steps_that_every_other_method_takes_well():
    # Adams-Bashforth k is stable on (-2 / sum |b_j|, 0); torchdiffeq climbs to k = 11
    limit = 2 / _BASHFORTH_DIVISOR[11].abs().sum().item()
    assert limit == pytest.approx(0.0034, abs=1e-4)

    def error(name, steps):
        end = solve(
            autonomous(torch.neg),
            torch.ones(1).double(),
            Setting.of(SOLVERS[name], steps),
            horizon=1.0,
        ).state
        return abs(end.item() - math.exp(-1))

    assert 1 / 256 > limit > 1 / 512
    assert all(
        error("explicit_adams", n) < error("explicit_adams", m)
        for n, m in pairwise((8, 16, 32, 64))
    )
    assert error("explicit_adams", 64) > 0.3
    assert error("explicit_adams", 512) < 1e-9
    assert error("euler", 64) < 0.01
