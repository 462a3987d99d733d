"""A set-point in the study: what its schedule measures, notes and leaves alone."""

from dataclasses import replace

import pytest
import torch
from defined import trained
from test_loop import data_of, spec_of

from solverproof.auditing.measures import Standard
from solverproof.control.set_point import excess_of
from solverproof.ode.solvers import SOLVERS, Setting
from solverproof.training.controllers.base import Controller

KEYS = {
    "accept": 0.01, "spread": 4, "shortest": 3, "longest": 6, "most_steps": 50, "probe_every": 5,
    "initial": 0.25, "probe_solvers": [],
}  # fmt: skip
EULER = SOLVERS["euler"]


def rule(**keys):
    return Controller.of({"family": "set_point", **KEYS, **keys}, SOLVERS)


def train(schedule, see=lambda batch: batch, iterations=12):
    spec = spec_of("sphere2", seeds=[0], iterations=iterations, history_every=1)
    return trained(spec, data_of("sphere2", "float32"), lambda batch: schedule(see(batch)))


def test_steps_are_drawn_up_to_the_most_which_are_deployed():
    schedule = rule(initial=0.0625).schedule(EULER, seed=0, stream=1)
    result = train(schedule)
    drawn = [row["steps"] for row in result.history]
    most = [check.steps for check in schedule.checks]
    assert most[0] == 16
    assert len(set(drawn)) > 3
    assert max(drawn) <= max(most)
    assert min(drawn) >= min(*most, schedule.deployed.steps) / 4
    assert schedule.deployed.solver == EULER


def test_a_check_notes_what_it_measured_of_the_batch_and_what_it_cost():
    schedule, seen = rule().schedule(EULER, seed=0, stream=1), []

    def see(batch):
        if batch.iteration == 1:
            with torch.no_grad():
                seen.extend(
                    batch.model(batch.parameters, batch.x, Setting(EULER, steps=n)).outputs[0]
                    for n in (4, 16)
                )
        return batch

    train(schedule, see)
    first, second, *_ = schedule.checks
    assert (first.steps, first.test_solver, first.test_steps) == (4, "euler", 16)
    assert first.excess == pytest.approx(excess_of(Standard(0.01, classes=True), *seen) * 4 / 3)
    assert first.monitoring_nfe == 4 + 16
    assert 0 <= first.train_score <= 1
    assert second.monitoring_nfe == 4 + 16 + second.steps + second.test_steps


def test_labels_choose_nothing():
    chosen = []
    for shift in (0, 1):
        schedule = rule().schedule(EULER, seed=0, stream=1)

        def see(batch, shift=shift):
            return replace(batch, targets=(batch.targets + shift) % 2)

        train(schedule, see)
        chosen.append([(check.steps, check.excess) for check in schedule.checks])
    assert chosen[0] == chosen[1]


def test_without_a_first_size_hairers_procedure_gives_it_and_is_counted():
    schedule = rule(initial=None).schedule(EULER, seed=0, stream=1)
    train(schedule, iterations=1)
    (check,) = schedule.checks
    assert check.monitoring_nfe == 2 + check.steps + check.test_steps


@pytest.mark.parametrize(
    ("solver", "keys", "told"),
    [
        ("dopri5", {}, "dopri5 chooses its own steps; write a fixed-step solver"),
        ("rk4", {"probe_solvers": ["dopri5"]},
         "dopri5 is not of the kind of rk4; write a solver of kind 'fixed'"),
        ("rk4", {"probe_solvers": ["midpoint"]}, None),
    ],
)  # fmt: skip
def test_solvers_that_do_not_fit_are_told(solver, keys, told):
    assert rule(**keys).misfit(SOLVERS[solver]) == told


def test_planning_knows_the_most_steps_of_the_first_draws_where_the_first_size_is_given():
    assert rule().expected_steps(EULER) == 4
    assert rule(initial=None).expected_steps(EULER) is None
