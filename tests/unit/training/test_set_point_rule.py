"""A set-point in the study: what its schedule measures, notes and leaves alone."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from defined import trained, training_of
from test_loop import data_of, spec_of

from solverproof.auditing.measures import Standard
from solverproof.control import guard
from solverproof.control.set_point import excess_of
from solverproof.errors import InputError
from solverproof.ode.solvers import SOLVERS, Setting
from solverproof.training.controllers.base import Controller
from solverproof.training.holding_out import parted

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


def test_constants_of_the_law_are_the_definition_s_and_the_usual_ones_are_no_part_of_it():
    schedule = rule(law={"aim": 0.9, "memory": 3}).schedule(EULER, seed=0, stream=1)
    train(schedule, iterations=1)
    assert (schedule.point.law.aim, schedule.point.law.memory) == (0.9, 3)
    assert "law" not in rule(law=None).to_json()


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


GUARD = {"accept": 0.3, "hold_out": 20, "most_tests": 3, "prolong": 4}


def job(seed=0, **keys):
    """A training of one seed under the rule."""
    defined = rule(**{**GUARD, **keys})
    spec = spec_of("sphere2", seeds=[seed], iterations=12)
    del spec["setting"]
    own = {"name": "some", "solver": EULER.to_json(), "controller": defined.to_json()}
    return training_of({**spec, **own}), spec


def train_guarded(**keys):
    whole, spec = job(**keys)
    data = data_of("sphere2", "float32")
    schedule = whole.controller.schedule(EULER, seed=0, stream=1)
    rest, held_out = parted(whole, data)
    more = whole.controller.more(schedule, held_out)
    return schedule, trained(spec, rest, schedule, more=more)


def test_a_model_that_passes_its_test_is_trained_no_longer():
    schedule, result = train_guarded(initial=0.02)
    *_, before, test = schedule.checks
    assert result.iterations == 12
    assert (test.decision, test.iteration, test.test_solver) == ("passed", 12, "reference")
    assert test.excess <= 1
    assert test.total_nfe == result.mean_nfe[0] * 12
    assert test.monitoring_nfe > before.monitoring_nfe + 3 * test.steps


def test_a_model_that_fails_is_trained_on_with_half_the_step_until_it_may_no_longer(monkeypatch):
    monkeypatch.setattr(guard, "agreement", lambda *_: (None, 32))
    schedule, result = train_guarded(longest=400, shortest=400)
    tests = [check for check in schedule.checks if check.test_solver == "reference"]
    assert [test.decision for test in tests] == ["failed"] * 3
    assert [test.iteration for test in tests] == [12, 16, 20]
    assert all(math.isnan(test.excess) for test in tests)
    for one, half in pairwise(test.steps for test in tests):
        assert half in {2 * one - 1, 2 * one}  # steps are rounded up
    assert result.iterations == 20
    assert schedule.deployed.steps == tests[-1].steps  # nothing untested is deployed
    # 32 evaluations of 20 samples are 40 of a batch of 16
    assert tests[0].monitoring_nfe == schedule.checks[-4].monitoring_nfe + 40


def test_without_samples_held_out_there_is_no_test_and_all_are_trained_with():
    whole, _ = job(hold_out=0)
    data = data_of("sphere2", "float32")
    rest, held_out = parted(whole, data)
    assert np.array_equal(np.sort(rest["train_x"], 0), np.sort(data["train_x"], 0))
    assert (
        whole.controller.more(whole.controller.schedule(EULER, seed=0, stream=1), held_out) is None
    )


def test_samples_held_out_are_a_random_choice_of_each_seed_and_not_trained_with():
    data = {**data_of("sphere2", "float32")}
    data["train_x"] = np.arange(data["train_x"].size, dtype="float32").reshape(-1, 1, 2)
    chosen = []
    for seed in (0, 1):
        rest, held_out = parted(job(seed)[0], data)
        left, held = rest["train_x"][:, 0, 0].tolist(), held_out.x[:, 0, 0].tolist()
        assert len(held) == 20
        assert sorted(left + held) == data["train_x"][:, 0, 0].tolist()
        assert len(rest["train_y"]) == len(left)
        chosen.append(held)
    assert chosen[0] != chosen[1]
    assert parted(job(0)[0], data)[1].x[:, 0, 0].tolist() == chosen[0]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"hold_out": 3},
         "hold_out: 3 samples cannot show in 3 tests that 0.3 of them at most miss; "
         "write 17 or more, or 0"),
        ({"hold_out": 50}, "hold_out: there are 50 training samples; write fewer, not 50"),
    ],
)  # fmt: skip
def test_samples_that_are_too_few_or_too_many_are_told(keys, told):
    with pytest.raises(InputError) as failure:
        parted(job(**keys)[0], data_of("sphere2", "float32"))
    assert str(failure.value) == told
