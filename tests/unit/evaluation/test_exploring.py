import math

import numpy as np
import pytest
import torch
from defined import classifier_of
from plain import PlainClassifier

from solverproof.datasets.spheres import spheres
from solverproof.evaluation.exploring import POINTS, VERTICES, explore
from solverproof.evaluation.specifications import EvaluationSpec
from solverproof.models.losses import NO_CLASS
from solverproof.models.neural_ode import select_seed
from solverproof.ode.solvers import SOLVERS, Setting

SPEC = {
    "task": "toy",
    "model": {"network": {"family": "conv", "channels": 6}, "outputs": 2},
    "seeds": [5, 6],
    "solvers": ["euler", "midpoint"],
    "ratios": [2.0, 0.1],
}
RUN = {"setting": {"solver": "euler", "steps": 4}, "failures": {}}


@pytest.fixture
def data():
    return spheres(dimension=2, train=4, test=100, seed=0)


@pytest.fixture
def parameters():
    return classifier_of(SPEC["model"], (1, 2)).initial(SPEC["seeds"])


def explored(data, parameters, run=RUN, **spec):
    return explore(EvaluationSpec.from_json(SPEC | spec), data, parameters, run)


def test_every_test_setting_of_the_evaluation_has_trajectories(data, parameters):
    names = {name for name in explored(data, parameters) if name.startswith("paths ")}
    settings = [(solver, steps) for solver in ("euler", "midpoint") for steps in (2, 4, 40)]
    assert names == {f"paths {solver} steps-{steps}" for solver, steps in settings}


def test_trajectories_lead_from_samples_to_where_that_setting_takes_them(data, parameters):
    found, model = explored(data, parameters), classifier_of(SPEC["model"], (1, 2))
    plain = PlainClassifier(model, parameters, 0)
    for solver, steps in (("euler", 4), ("euler", 40), ("midpoint", 2)):
        paths = found[f"paths {solver} steps-{steps}"]
        assert paths.shape == (min(steps + 1, VERTICES), POINTS, 2)
        samples = torch.from_numpy(paths[0]).unsqueeze(1)
        assert all((data["test_x"] == sample).all(axis=(1, 2)).any() for sample in paths[0])
        with torch.no_grad():
            ends = plain.final_state(samples, solver, steps)[:, 0]
        np.testing.assert_allclose(paths[-1], ends, rtol=1e-4, atol=1e-6)


def test_classes_are_as_many_and_are_predicted_from_the_end_points(data, parameters):
    found = explored(data, parameters)
    assert np.bincount(found["targets"]).tolist() == [POINTS // 2, POINTS // 2]
    plain = PlainClassifier(classifier_of(SPEC["model"], (1, 2)), parameters, 0)
    with torch.no_grad():
        logits = plain.head(torch.from_numpy(found["paths euler steps-4"][-1]))
    np.testing.assert_array_equal(found["classes euler steps-4"], logits.argmax(1))


def test_the_box_holds_nearly_all_states_of_the_training_setting_and_is_square(data, parameters):
    found = explored(data, parameters)
    left, right, bottom, top = found["box"]
    x, y = found["paths euler steps-4"].reshape(-1, 2).T
    assert ((left < x) & (x < right) & (bottom < y) & (y < top)).mean() > 0.9
    assert right - left == pytest.approx(top - bottom)


def test_an_adaptive_solver_ends_where_its_evaluation_does(data, parameters):
    run = {"setting": {"solver": "dopri5", "tolerance": 0.1}, "failures": {}}
    found = explored(data, parameters, run, solvers=["dopri5"], ratios=[0.1])
    path = found["paths dopri5 tolerance-0.01"]
    model, setting = (
        classifier_of(SPEC["model"], (1, 2)),
        Setting(SOLVERS["dopri5"], tolerance=0.01),
    )
    with torch.no_grad():  # all test samples together, as evaluations solve them
        x = torch.from_numpy(data["test_x"]).unsqueeze(0)
        ends = model(select_seed(parameters, 0), x, setting).state.reshape(-1, 2).numpy()
    for start, end in zip(path[0], path[-1], strict=True):
        (sample,) = np.flatnonzero((data["test_x"][:, 0] == start).all(axis=1))
        np.testing.assert_array_equal(end, ends[sample])


def test_the_first_seed_that_trained_is_shown(data, parameters):
    run = RUN | {"failures": {"5": {"status": "diverged", "reason": "loss not finite"}}}
    assert explored(data, parameters, run)["seed"].tolist() == [6]
    none = RUN | {"failures": {"5": {}, "6": {}}}
    assert explored(data, parameters, none).keys() == {"seed"}


def test_a_model_without_finite_states_has_a_box_and_no_classes(data, parameters):
    found = explored(data, {name: p * math.nan for name, p in parameters.items()})
    assert np.isfinite(found["box"]).all()
    assert (found["classes euler steps-4"] == NO_CLASS).all()


def test_real_values_have_trajectories_and_no_classes(data, parameters):
    real = data | {"test_y": np.zeros((100, 2), dtype=np.float32)}
    found = explored(real, parameters)
    assert not len(found["targets"])
    assert not [name for name in found if name.startswith(("classes", "regions"))]
    assert found["paths euler steps-4"].shape == (5, POINTS, 2)
