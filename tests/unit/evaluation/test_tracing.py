import numpy as np
import pytest
import torch
from defined import classifier_of
from plain import PlainClassifier

from solverproof.datasets.spheres import spheres
from solverproof.evaluation.specifications import TraceSpec
from solverproof.evaluation.tracing import DRAWN_STEPS, HALF, POINTS_PER_CLASS, RESOLUTION, trace
from solverproof.models.losses import NO_CLASS

SEEDS = [5, 6]
SPEC = {
    "model": {"network": {"family": "conv", "channels": 6}, "outputs": 2, "horizon": 1.3},
    "setting": {"solver": "midpoint", "steps": 4},
    "index": 1,
}


@pytest.fixture
def data():
    return spheres(dimension=2, train=4, test=100, seed=0)


@pytest.fixture
def parameters():
    return classifier_of(SPEC["model"], (1, 2)).initial(SEEDS)


@pytest.fixture
def plain(parameters):
    return PlainClassifier(classifier_of(SPEC["model"], (1, 2)), parameters, SPEC["index"])


@pytest.fixture
def traced(data, parameters):
    return trace(TraceSpec.from_json(SPEC), data, parameters)


@pytest.mark.parametrize(("place", "steps"), [(0, 4), (1, 6), (HALF, 8)])
def test_end_points_are_those_of_the_seed_at_the_training_step_and_at_finer_ones(
    place, steps, traced, data, plain
):
    x = torch.from_numpy(data["test_x"])
    with torch.no_grad():
        expected = plain.final_state(x, "midpoint", steps)[:, 0]
        classes = plain.head(expected).argmax(1)
    assert traced["steps"][place] == steps
    np.testing.assert_allclose(traced["ends"][place], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(traced["predicted"][place], classes)
    np.testing.assert_array_equal(traced["starts"], data["test_x"][:, 0])
    np.testing.assert_array_equal(traced["labels"], data["test_y"])


@pytest.mark.parametrize(("place", "states"), [(0, 5), (-1, 33)])
def test_trajectories_lead_from_samples_of_every_class_to_their_end_points(place, states, traced):
    shown = traced["shown"]
    paths = traced[f"trajectories_{range(len(traced['steps']))[place]}"]
    assert paths.shape == (states, 2 * POINTS_PER_CLASS, 2)
    assert np.bincount(traced["labels"][shown]).tolist() == [POINTS_PER_CLASS, POINTS_PER_CLASS]
    np.testing.assert_array_equal(paths[0], traced["starts"][shown])
    np.testing.assert_allclose(paths[-1], traced["ends"][place][shown], rtol=1e-5, atol=1e-6)


def test_trajectories_of_many_steps_keep_a_few_states_and_both_ends(data, parameters):
    many = {**SPEC, "setting": {"solver": "midpoint", "steps": 100}}
    traced = trace(TraceSpec.from_json(many), data, parameters)
    assert len(traced["trajectories_0"]) == DRAWN_STEPS + 1
    ends = traced["ends"][0][traced["shown"]]
    np.testing.assert_allclose(traced["trajectories_0"][-1], ends, rtol=1e-5, atol=1e-6)


def test_the_box_holds_the_end_points_of_figure_2_with_a_margin(traced):
    ends = np.concatenate(traced["ends"][[0, HALF]])
    x_min, x_max, y_min, y_max = traced["box"]
    low, high = ends.min(axis=0), ends.max(axis=0)
    np.testing.assert_allclose([x_min, y_min], low - 0.08 * (high - low), rtol=1e-5)
    np.testing.assert_allclose([x_max, y_max], high + 0.08 * (high - low), rtol=1e-5)


def test_regions_are_the_classes_of_the_head_with_x_along_the_rows(traced, plain):
    x_min, x_max, y_min, y_max = traced["box"]
    assert traced["regions"].shape == (RESOLUTION, RESOLUTION)
    xs, ys = np.linspace(x_min, x_max, RESOLUTION), np.linspace(y_min, y_max, RESOLUTION)
    grid = torch.from_numpy(np.stack(np.meshgrid(xs, ys), axis=-1)).float()
    with torch.no_grad():
        logits = plain.head(grid)
    clear = (logits[..., 0] - logits[..., 1]).abs() > 1e-5
    assert clear.float().mean() > 0.99
    np.testing.assert_array_equal(traced["regions"][clear], logits.argmax(2)[clear])
    assert 0 < traced["regions"].mean() < 1


def test_other_seeds_of_the_block_leave_the_trace_alone(traced, data, parameters):
    ruined = {name: torch.stack([p[0] * torch.nan, p[1]]) for name, p in parameters.items()}
    again = trace(TraceSpec.from_json(SPEC), data, ruined)
    assert all(np.array_equal(traced[name], again[name]) for name in traced)


def test_a_run_that_diverged_has_a_box_to_draw_and_no_regions_in_it(data, parameters):
    ruined = {name: p * torch.nan for name, p in parameters.items()}
    traced = trace(TraceSpec.from_json(SPEC), data, ruined)
    x_min, x_max, y_min, y_max = traced["box"]
    assert np.isfinite(traced["box"]).all()
    assert x_min < x_max
    assert y_min < y_max
    assert (traced["regions"] == NO_CLASS).all()


def test_the_box_leaves_out_outputs_that_are_not_finite(data, parameters):
    near = trace(TraceSpec.from_json(SPEC), data, parameters)
    far = {
        **data,
        "test_x": np.concatenate([data["test_x"], np.full((1, 1, 2), np.inf, dtype=np.float32)]),
    }
    far["test_y"] = np.append(data["test_y"], 0)
    traced = trace(TraceSpec.from_json(SPEC), far, parameters)
    assert not np.isfinite(traced["ends"][0][-1]).all()
    np.testing.assert_allclose(traced["box"], near["box"], rtol=1e-5)
