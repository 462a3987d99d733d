"""Audits of models of the study whose answers are known in closed form."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from defined import classifier_of, evaluated
from torchdiffeq import odeint

from solverproof.auditing.deployment import deploy, odeint_call
from solverproof.auditing.trained import trained_problem
from solverproof.evaluation import cross_solver
from solverproof.evaluation.audits import examine
from solverproof.evaluation.specifications import AuditSpec, EvaluationSpec
from solverproof.models.neural_ode import stack
from solverproof.ode.solvers import SOLVERS, Setting

SAMPLES = 500
MODEL = {"network": {"family": "mlp", "widths": [4]}, "outputs": 2, "horizon": 1.0}
CELL = {"task": "toy", "model": MODEL, "controller": None, "adapted": False, "seeds": [3]}


def linear(rate, turn=0.0):
    """dz/dt = rate z in the plane, turning, made of ReLU; its head tells the side of a line."""
    one, matrix = torch.eye(2), torch.tensor([[rate, -turn], [turn, rate]])
    return {
        "field.weight0": torch.cat([one, -one]),
        "field.bias0": torch.zeros(4),
        "field.weight1": torch.cat([matrix, -matrix], 1),
        "field.bias1": torch.zeros(2),
        "head.weight": torch.tensor([[1.0, 0.0], [-1.0, 0.0]]),
        "head.bias": torch.zeros(2),
    }


def data_of(samples=SAMPLES):
    """Points around the origin, none near the line at which a linear head changes its mind."""
    angle = 2 * math.pi * (np.arange(samples) + 0.5) / samples
    points = np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)
    return {"test_x": points[:, None], "test_y": (points[:, 0] < 0).astype(np.int64)}


def audits(models, setting, data=None, failures=None, **others):
    """What the audit of a cell finds, with the references of its evaluation."""
    data, parameters = data_of() if data is None else data, stack(models)
    cell = {**CELL, "seeds": list(range(3, 3 + len(models))), **others}
    run = {"setting": setting.to_json(), "failures": failures or {}}
    tests = {"solvers": [setting.solver.name], "ratios": [1]}
    spec = EvaluationSpec.from_json({**CELL, "seeds": cell["seeds"], **tests})
    flows = cross_solver.evaluate(spec, data, parameters, run).flows
    return examine(AuditSpec.from_json(cell), data, parameters, run, flows)


def euler(steps):
    return Setting(SOLVERS["euler"], steps=steps)


def test_a_step_that_turns_every_sign_is_no_ode():
    (found,) = audits([linear(-3.0)], euler(1))
    assert (found.verdict, found.kind, found.status) == ("FAIL", "solver-bound", "ok")
    assert (found.disagreement, found.uncontrolled, found.certified) == (1, 1, 0)
    assert found.disagreement_low == pytest.approx(0.025 ** (1 / SAMPLES))
    assert (found.accuracy, found.accuracy_reference, found.accuracy_change) == (0, 1, -1)
    assert found.accuracy_change_low == pytest.approx(-1)
    assert -1 < found.accuracy_change_high < -0.98
    # one step makes -2 z of what the flow makes e^-3 z
    for ratio in (found.control_ratio_median, found.control_ratio_max):
        assert ratio == pytest.approx(1 + 2 * math.e**3, rel=1e-4)
    assert found.error_relative_p95 == pytest.approx(1 + 2 * math.e**3, rel=1e-4)


def test_steps_below_the_crossing_keep_signs_and_the_measures_are_those_of_decay():
    (found,) = audits([linear(-3.0)], euler(4))
    assert (found.verdict, found.kind) == ("PASS", "ode")
    assert (found.disagreement, found.uncontrolled) == (0, 0)
    assert found.disagreement_high < found.accepted == 0.01
    lost = 1 - math.e**3 / 4**4
    assert found.control_ratio_p95 == pytest.approx(lost, rel=1e-4)
    # an error of any direction and so large changes no prediction where |cos| is larger than it
    assert found.certified == pytest.approx(2 * math.acos(lost) / math.pi, abs=2 / SAMPLES)
    for growth in (found.growth_median, found.growth_max, found.stretching_p95):
        assert growth == pytest.approx(-3)
    assert found.lipschitz == found.crossing == pytest.approx(3)
    assert (found.amplified, found.damped, found.folds) == (0, 0, False)


def test_growth_is_measured_where_nothing_is_stiff():
    (found,) = audits([linear(2.0)], euler(8))
    assert (found.growth_median, found.crossing) == (pytest.approx(2), 0)


def test_the_disagreement_is_that_of_the_evaluation():
    models = [linear(0.0, turn=0.1), linear(0.0, turn=2.0)]
    found = audits(models, euler(3))
    spec = {**CELL, "seeds": [3, 4], "solvers": ["euler"], "ratios": [1]}
    run = {"setting": euler(3).to_json(), "failures": {}}
    rows = evaluated(spec, data_of(), stack(models), run)
    assert [one.seed for one in found] == [row["seed"] for row in rows] == [3, 4]
    assert [one.disagreement for one in found] == [row["disagreement"] for row in rows]
    lag = 2 - 3 * math.atan(2 / 3)  # Euler's phase error
    assert found[1].disagreement == pytest.approx(lag / math.pi, abs=2 / SAMPLES)


@pytest.mark.parametrize("solver", ["fehlberg2", "dopri5"])
def test_adaptive_solvers_end_where_those_of_training_end(solver):
    # torchdiffeq by itself steps past the end and interpolates, coarsely where steps are long
    setting, models = Setting(SOLVERS[solver], tolerance=1.0), [linear(0.0, turn=2.0)]
    spec = {**CELL, "solvers": [solver], "ratios": [1]}
    run = {"setting": setting.to_json(), "failures": {}}
    rows = evaluated(spec, data_of(), stack(models), run)
    (disagreement,) = (row["disagreement"] for row in rows if row["control"] == "batch")
    (found,) = audits(models, setting)
    assert found.disagreement == disagreement


def test_the_line_to_paste_ends_an_adaptive_solve_there_as_well():
    problem = trained_problem(
        classifier_of({"network": MODEL["network"], "outputs": 2}, (1, 2)),
        stack([linear(0.0, turn=2.0)]),
        torch.from_numpy(data_of()["test_x"]),
    )
    setting = Setting(SOLVERS["dopri5"], tolerance=1.0)
    names = {"odeint": odeint, "torch": torch, "field": problem.field, "z0": problem.start}
    states = eval(odeint_call(setting, problem), names)  # noqa: S307  as a user pastes it
    assert torch.equal(states.flatten(1), deploy(problem, setting).states)


def test_few_samples_decide_nothing():
    (found,) = audits([linear(-1.0)], euler(8), data_of(100))
    assert (found.verdict, found.kind, found.disagreement) == ("INCONCLUSIVE", "unresolved", 0)


def test_adaptive_solvers_have_no_step_whose_size_could_be_judged():
    setting = Setting(SOLVERS["dopri5"], tolerance=1e-3)
    (found,) = audits([linear(-3.0)], setting)
    assert (found.train_tolerance, found.train_steps, found.verdict) == (1e-3, None, "PASS")
    assert math.isnan(found.amplified)
    assert found.crossing == pytest.approx(3)


def test_a_model_that_failed_in_training_has_its_status_and_no_verdict():
    failures = {"3": {"status": "diverged", "reason": "loss not finite at iteration 9"}}
    ruined = {name: torch.full_like(p, torch.nan) for name, p in linear(-1.0).items()}
    first, second = audits([ruined, linear(-1.0)], euler(8), failures=failures)
    assert (first.status, first.reason) == ("diverged", "loss not finite at iteration 9")
    assert (first.verdict, first.kind, second.verdict) == (None, None, "PASS")
    assert first.accepted == second.accepted == 0.01
    assert math.isnan(first.disagreement)


def test_other_settings_are_tried_for_the_first_seed_that_trained():
    failures = {"3": {"status": "diverged", "reason": "told"}}
    models = [linear(-3.0)] * 3
    found = audits(models, euler(8), data_of(1000), failures, candidates=True)
    assert [one.tried is None for one in found] == [True, False, True]
    own, other = found[1:]
    # one step of Euler turns every sign; of those that need two evaluations and turn none, two
    # steps of Euler make 0.25 of what the flow makes 0.05, a step of midpoint or Heun makes 2.5
    advised = (own.advised_solver, own.advised_steps, own.advised_nfe)
    assert advised == ("euler", 2, 2)
    assert own.advised_tolerance is None
    assert other.advised_solver is other.advised_nfe is None
    assert own.disagreement == other.disagreement == 0


def test_nothing_is_advised_where_too_few_samples_confirm_it():
    (found,) = audits([linear(-3.0)], euler(1), data_of(100), candidates=True)
    assert found.tried > 1
    assert found.advised_solver is None


def test_a_prediction_at_a_tie_of_the_flow_is_no_miss_that_is_known():
    data, parameters = data_of(), stack([linear(-3.0)])
    run = {"setting": euler(1).to_json(), "failures": {}}
    spec = EvaluationSpec.from_json({**CELL, "solvers": ["euler"], "ratios": [1]})
    (flow,) = cross_solver.evaluate(spec, data, parameters, run).flows.values()
    tied = replace(flow, sure=torch.arange(SAMPLES) >= SAMPLES // 2)
    (found,) = examine(AuditSpec.from_json(CELL), data, parameters, run, {3: tied})
    assert (found.disagreement, found.disagreement_high) == (1, 1)
    assert found.disagreement_low < 0.5


def test_a_sample_whose_prediction_is_sure_counts_though_its_end_state_is_not_resolved():
    data, parameters = data_of(), stack([linear(-3.0)])
    run = {"setting": euler(4).to_json(), "failures": {}}
    spec = EvaluationSpec.from_json({**CELL, "solvers": ["euler"], "ratios": [1]})
    (flow,) = cross_solver.evaluate(spec, data, parameters, run).flows.values()
    rough = replace(flow, resolved=torch.arange(SAMPLES) >= 4)
    unsure = replace(rough, sure=torch.arange(SAMPLES) >= 2)
    verdicts = [
        examine(AuditSpec.from_json(CELL), data, parameters, run, {3: one})[0].verdict
        for one in (flow, rough, unsure)
    ]
    assert verdicts == ["PASS", "PASS", "INCONCLUSIVE"]


def test_a_flow_that_is_not_resolved_leaves_the_verdict_open():
    data, parameters = data_of(), stack([linear(-1.0)])
    run = {"setting": euler(8).to_json(), "failures": {}}
    spec = EvaluationSpec.from_json({**CELL, "solvers": ["euler"], "ratios": [1]})
    (flow,) = cross_solver.evaluate(spec, data, parameters, run).flows.values()
    lost = replace(flow, status="unresolved", reason="Dopri 5 gave up")
    (found,) = examine(AuditSpec.from_json(CELL), data, parameters, run, {3: lost})
    assert (found.verdict, found.kind) == ("INCONCLUSIVE", "unresolved")
    assert (found.accepted, found.samples) == (0.01, SAMPLES)
    assert (found.status, found.reason) == ("unresolved", "Dopri 5 gave up")
    assert math.isnan(found.disagreement)


def test_real_values_are_held_against_those_of_the_flow():
    data = data_of()
    data["test_y"] = data["test_x"][:, 0]
    identity = linear(-1.0) | {"head.weight": torch.eye(2)}
    coarse, fine = (audits([identity], euler(n), data)[0] for n in (8, 128))
    # relative errors 1 - e (1 - 1/N)^N: 6.6 % and 0.4 %, where 1 % is accepted
    assert (coarse.verdict, coarse.disagreement) == ("FAIL", 1)
    assert (fine.verdict, fine.disagreement, fine.accepted) == ("PASS", 0, 0.05)
    assert math.isnan(fine.accuracy)
    assert math.isnan(fine.uncontrolled)


def test_a_controlled_cell_is_audited_with_the_setting_it_is_deployed_with():
    (found,) = audits([linear(-3.0)], euler(1), controller="adapt", adapted=True)
    assert (found.train_steps, found.controller, found.adapted) == (1, "adapt", True)
    assert found.verdict == "FAIL"
