"""A step size that keeps to its set-point, on problems whose errors are known."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from solverproof.auditing.measures import OUTPUTS_SHARE, Standard, control_ratios
from solverproof.control.law import Law
from solverproof.control.set_point import Rule, SetPoint, excess_of
from solverproof.models.losses import predicted
from solverproof.ode.solvers import SOLVERS, Setting

VALUES, CLASSES = Standard(0.01, classes=False), Standard(0.01, classes=True)


def rule(name="midpoint", spread=4):
    return Rule(SOLVERS[name], spread, shortest=50, longest=400, most_steps=500)


def of_values(own, finer):
    return excess_of(VALUES, own, finer)


def of_classes(own, finer):
    return excess_of(CLASSES, own, finer)


def growth(setting):
    """z' = z from 1 to e, by Euler or the midpoint rule, in closed form; four equal samples."""
    n = setting.steps
    per_step = 1 + 1 / n + (1 / (2 * n * n) if setting.solver.name == "midpoint" else 0)
    return torch.full((4, 1), per_step**n, dtype=torch.float64), n * setting.solver.stages


def run(point, iterations, outputs=growth, excess=of_values):
    return [point.choose(outputs, excess) for _ in range(iterations)]


@pytest.mark.parametrize("name", ["euler", "midpoint"])
@pytest.mark.parametrize("first", [1.0, 1 / 8, 1 / 400])
def test_steps_come_to_what_is_accepted_wherever_they_started(name, first):
    point = SetPoint(rule(name), first, 0)
    run(point, 3000)
    off = abs(growth(point.finest)[0][0].item() - math.e) / math.e
    assert Law.band * 0.9 <= off / 0.01 <= 1.1


def test_constants_that_are_given_take_the_place_of_the_usual_ones():
    given = replace(rule("rk4"), constants={"order": 4, "aim": 1.0, "memory": 0})
    law = SetPoint(given, 1 / 8, 0).law
    assert (rule("rk4").law.order, law.order, law.aim, law.memory) == (2, 4, 1.0, 0)
    assert replace(law, order=2, aim=Law.aim, memory=Law.memory) == rule("rk4").law


def test_a_lower_aim_comes_to_more_steps_and_a_higher_one_to_fewer():
    def steps(first, **constants):
        point = SetPoint(replace(rule("euler"), constants=constants), first, 0)
        run(point, 3000)
        return point.finest.steps

    assert steps(1.0, aim=0.1, band=0.05) > steps(1.0)
    assert steps(1 / 400, aim=0.9, band=0.8) < steps(1 / 400)


def test_every_draw_is_at_most_the_finest_and_at_least_a_spread_of_it():
    point = SetPoint(rule(spread=4), 1 / 8, 0)
    for _ in range(500):
        ((setting, _),) = run(point, 1)
        assert point.finest.steps / 4 <= setting.steps <= point.finest.steps


def test_draws_are_uniform_in_the_logarithm():
    point = SetPoint(rule(spread=4), 1 / 8, 0)
    point.due_in = math.inf
    drawn = np.array([setting.steps for setting, _ in run(point, 4000)])
    share = (drawn < 4).mean()
    expected = math.log(4 / 2) / math.log(9 / 2)
    assert abs(share - expected) < 4 * math.sqrt(expected * (1 - expected) / 4000)
    assert {2, 8} <= set(drawn)


@pytest.mark.parametrize("spread", [1, 4, 64])
def test_no_model_is_trained_with_a_single_step(spread):
    point = SetPoint(rule(spread=spread), 1.0, 0)
    exact = run(point, 200, lambda setting: (torch.ones(4, 1), setting.steps))
    assert {setting.steps for setting, _ in exact} == {2}
    finer = SetPoint(rule(spread=spread), 1 / 8, 0)
    assert min(setting.steps for setting, _ in run(finer, 200)) >= 2


def test_without_a_spread_nothing_is_drawn():
    point = SetPoint(rule(spread=1), 1 / 8, 0)
    assert all(setting == point.finest for setting, _ in run(point, 100))


def test_a_check_solves_twice_and_counts_both():
    point = SetPoint(rule(spread=4), 1 / 8, 0)
    (_, found), *_ = run(point, 1)
    assert (found.setting.steps, found.finer.steps) == (8, 32)
    assert found.nfe == 2 * 8 + 2 * 32
    assert run(point, 1)[0][1] is None


def test_checks_and_draws_go_on_from_a_state():
    whole = SetPoint(rule(), 1 / 8, 7)
    first, rest = run(whole, 40), run(whole, 60)
    halved, resumed = SetPoint(rule(), 1 / 8, 7), SetPoint(rule(), 1.0, 0)
    assert [s for s, _ in run(halved, 40)] == [s for s, _ in first]
    resumed.load_state_dict(halved.state_dict())
    assert [s for s, _ in run(resumed, 60)] == [s for s, _ in rest]


def test_where_the_solver_gives_up_the_step_is_halved():
    def stiff(setting):
        return torch.full((4, 1), math.nan), setting.steps

    point = SetPoint(rule(), 1 / 8, 0)
    (_, found), *_ = run(point, 1, stiff)
    assert (found.excess, found.move) == (math.inf, "shrink")
    assert point.finest == Setting(SOLVERS["midpoint"], steps=16)


def test_the_excess_of_values_is_their_error_over_what_is_accepted():
    finer = torch.ones(100, 3, dtype=torch.float64)
    outputs = finer * (1 + torch.arange(100).reshape(-1, 1) / 1000)
    # the 95th of a hundred errors, 0 to 9.9 %
    assert excess_of(VALUES, outputs, finer) == pytest.approx(9.4)


def test_at_an_excess_of_one_about_the_accepted_share_of_predictions_changes():
    generator = torch.Generator().manual_seed(0)
    samples = 200_000
    lead = torch.rand(samples, generator=generator, dtype=torch.float64) * 2 - 1
    finer = torch.stack([lead, -lead], 1)
    shift = torch.randn(samples, generator=generator, dtype=torch.float64)

    def moved(size):
        return finer + size * torch.stack([shift, -shift], 1)

    low, high = 0.0, 1.0  # around the size at which the excess is 1
    for _ in range(40):
        middle = (low + high) / 2
        if excess_of(CLASSES, moved(middle), finer) < 1:
            low = middle
        else:
            high = middle
    changed = (predicted(moved(low)) != predicted(finer)).double().mean().item()
    # one shift in two is towards the border; the ratio counts both
    assert changed == pytest.approx(0.01 / 2, rel=0.1)
    ratios = control_ratios(moved(low), finer)
    assert (ratios > 1).double().mean().item() == pytest.approx(0.01, rel=0.1)
    assert (ratios > 0.01 / OUTPUTS_SHARE).double().mean().item() == pytest.approx(0.05, rel=0.1)


def test_a_model_that_knows_one_step_size_alone_is_refined_until_it_may_not():
    def learned(setting):
        side = 1.0 if setting.steps == 2 else -1.0
        return torch.tensor([[side, -side]]).repeat(64, 1), setting.steps

    point = SetPoint(rule("euler", spread=1), 1.0, 0)
    found = [checked for _, checked in run(point, 400, learned, of_classes) if checked]
    assert found[0].move == "shrink"
    assert found[0].excess > 1
