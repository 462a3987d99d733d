import math

import numpy as np
import pytest
import torch
from defined import classifier_of
from plain import PlainClassifier, layers_of, plain_field
from scipy import stats
from torch import nn

from solverproof.models.networks.conv import ConvField
from solverproof.models.networks.mlp import MLPField
from solverproof.models.neural_ode import stack
from solverproof.ode.solvers import SOLVERS, Setting

NOW = torch.zeros(())  # a time, which these fields ignore

pytestmark = pytest.mark.usefixtures("double_precision")

SEEDS = [3, 1, 4]
BATCH = 5
MIDPOINT = Setting(SOLVERS["midpoint"], steps=3)
EXACT = {"rtol": 1e-12, "atol": 1e-12}
LINES = [(1, 1), (1, 2), (1, 3), (2, 3), (1, 4), (3, 2), (2, 10)]
IMAGES = [(1, 8, 8), (2, 5, 3), (3, 1, 4)]
FIELDS = [
    *[ConvField(shape, 6) for shape in [*LINES, *IMAGES]],
    MLPField((1, 2), (7,)),
    MLPField((2, 3), (7, 4)),
    MLPField((1, 4, 4), (9, 6, 3)),
    *[
        field
        for activation in ("softplus", "tanh")
        for field in (
            ConvField((1, 2), 6, activation),
            ConvField((1, 8, 8), 6, activation),
            MLPField((2, 3), (7, 4), activation),
        )
    ],
]
every_field = pytest.mark.parametrize("field", FIELDS, ids=str)
NETWORKS = {
    "dense": ({"family": "conv", "channels": 6}, (1, 2)),
    "line": ({"family": "conv", "channels": 6}, (1, 10)),
    "image": ({"family": "conv", "channels": 6}, (1, 8, 8)),
    "mlp": ({"family": "mlp", "widths": [7, 5]}, (1, 4)),
}
every_network = pytest.mark.parametrize("name", NETWORKS)


def random_parameters(field, seeds=SEEDS):
    """Initial weights, and biases that are not zero."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    stacked = stack([field.initial(generator) for generator in generators])
    return {
        name: p if name.startswith("weight") else p + torch.randn(p.shape)
        for name, p in stacked.items()
    }


def random_state(field, seeds=SEEDS):
    return torch.randn(len(seeds), BATCH, *field.shape)


def velocity_of(field, parameters, state):
    return field.unpack(field.bind(parameters)(NOW, field.pack(state)))


def with_gradients(parameters):
    return {name: p.clone().requires_grad_() for name, p in parameters.items()}


def model_of(name):
    network, shape = NETWORKS[name]
    return classifier_of({"network": network, "outputs": 3, "horizon": 1.0}, shape)


def losses_and_gradients(model, parameters, x):
    parameters, x = with_gradients(parameters), x.clone().requires_grad_()
    logits = model(parameters, x, MIDPOINT).outputs
    logits.pow(2).sum().backward()
    return logits.detach(), {**{name: p.grad for name, p in parameters.items()}, "x": x.grad}


@every_field
def test_a_field_equals_the_modules_of_pytorch_for_every_seed(field):
    parameters, state = random_parameters(field), random_state(field)
    velocity = velocity_of(field, parameters, state)
    assert velocity.shape == state.shape
    for i in range(len(SEEDS)):
        torch.testing.assert_close(
            velocity[i], plain_field(field, parameters, i)(state[i]), **EXACT
        )


@every_field
def test_gradients_equal_those_of_the_modules_of_pytorch_for_every_seed(field):
    parameters, state = (
        with_gradients(random_parameters(field)),
        random_state(field).requires_grad_(),
    )
    velocity_of(field, parameters, state).pow(2).sum().backward()
    for i in range(len(SEEDS)):
        net, own = plain_field(field, parameters, i), state[i].detach().clone().requires_grad_()
        net(own).pow(2).sum().backward()
        torch.testing.assert_close(state.grad[i], own.grad, **EXACT)
        for j, layer in enumerate(layers_of(net)):
            torch.testing.assert_close(parameters[f"weight{j}"].grad[i], layer.weight.grad, **EXACT)
            torch.testing.assert_close(parameters[f"bias{j}"].grad[i], layer.bias.grad, **EXACT)


@pytest.mark.parametrize("shape", LINES, ids=str)
def test_a_line_is_an_image_one_pixel_wide(shape):
    """Lines of up to three pixels take the dense path, images always that of convolutions."""
    line, image = ConvField(shape, 6), ConvField((*shape, 1), 6)
    of_line, of_image = with_gradients(random_parameters(line)), {}
    for name, p in of_line.items():
        of_image[name] = nn.functional.pad(p[..., None], (1, 1)) if name == "weight1" else p
        if name in {"weight0", "weight2"}:
            of_image[name] = p[..., None]
    state = random_state(line)
    on_line, on_image = (
        velocity_of(line, of_line, state),
        velocity_of(image, of_image, state[..., None])[..., 0],
    )
    torch.testing.assert_close(on_line, on_image, **EXACT)
    leaves = list(of_line.values())
    for ours, theirs in zip(
        torch.autograd.grad(on_line.pow(2).sum(), leaves),
        torch.autograd.grad(on_image.pow(2).sum(), leaves),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, **EXACT)


@every_field
def test_unpacking_undoes_packing(field):
    state = random_state(field)
    assert torch.equal(field.unpack(field.pack(state)), state)


@every_field
def test_a_field_leaves_its_input_unchanged(field):
    state = field.pack(random_state(field))
    before = state.clone()
    field.bind(random_parameters(field))(NOW, state)
    assert torch.equal(state, before)


@every_network
def test_the_classifier_is_the_flow_of_the_field_and_then_a_linear_layer(name):
    network, shape = NETWORKS[name]
    model = classifier_of({"network": network, "outputs": 3, "horizon": 1.7}, shape)
    parameters = model.initial(SEEDS)
    parameters["head.bias"] = torch.randn(len(SEEDS), 3)
    x = torch.randn(len(SEEDS), BATCH, *shape)
    forward = model(parameters, x, Setting(SOLVERS["rk4"], steps=5))
    assert [(solution.steps, solution.nfe) for solution in forward.solutions] == [(5, 20)] * len(
        SEEDS
    )
    for i in range(len(SEEDS)):
        plain = PlainClassifier(model, parameters, i)
        torch.testing.assert_close(forward.state[i], plain.final_state(x[i], "rk4", 5), **EXACT)
        torch.testing.assert_close(forward.outputs[i], plain(x[i], "rk4", 5), **EXACT)


@every_network
def test_initial_weights_are_those_of_kaiming_normal_in_pytorch_and_biases_zero(name):
    model = model_of(name)
    parameters = model.initial([11])
    generator = torch.Generator().manual_seed(11)
    weights = sorted(key for key in parameters if "weight" in key and key != "head.weight")
    for key in ["head.weight", *weights]:
        weight = parameters[key][0]
        expected = nn.init.kaiming_normal_(
            torch.empty_like(weight), nonlinearity="relu", generator=generator
        )
        torch.testing.assert_close(weight, expected, **EXACT)
    assert all(not p.any() for key, p in parameters.items() if "bias" in key)


@pytest.mark.parametrize(
    ("network", "shape", "fans"),
    [
        ({"family": "conv", "channels": 64}, (3, 2), {0: 3, 1: 64 * 3, 2: 64}),
        ({"family": "conv", "channels": 64}, (3, 8, 8), {0: 3, 1: 64 * 9, 2: 64}),
        ({"family": "mlp", "widths": [90, 30]}, (1, 8), {0: 8, 1: 90, 2: 30}),
    ],
    ids=["line", "image", "mlp"],
)
def test_weights_are_normal_with_variance_two_over_fan_in(network, shape, fans):
    model = classifier_of({"network": network, "outputs": 40, "horizon": 1.0}, shape)
    parameters = model.initial([0])
    keyed = {f"field.weight{i}": fan for i, fan in fans.items()} | {"head.weight": math.prod(shape)}
    for key, fan in keyed.items():
        scaled = parameters[key].flatten().numpy() * np.sqrt(fan / 2)
        assert stats.kstest(scaled, stats.norm.cdf).pvalue > 1e-3


@every_network
def test_stacked_initial_parameters_are_those_of_each_seed_alone(name):
    model = model_of(name)
    together = model.initial(SEEDS)
    for i, seed in enumerate(SEEDS):
        alone = model.initial([seed])
        assert all(torch.equal(p[i], alone[key][0]) for key, p in together.items())


@every_network
def test_different_seeds_have_different_weights(name):
    weights = [p for key, p in model_of(name).initial([1, 2]).items() if "weight" in key]
    assert all((p[0] != p[1]).all() for p in weights)


@every_network
def test_a_stack_of_seeds_equals_each_seed_alone(name):
    model = model_of(name)
    parameters, x = model.initial(SEEDS), torch.randn(len(SEEDS), BATCH, *model.shape)
    logits, gradients = losses_and_gradients(model, parameters, x)
    for i in range(len(SEEDS)):
        own = {key: p[i : i + 1] for key, p in parameters.items()}
        alone, own_gradients = losses_and_gradients(model, own, x[i : i + 1])
        torch.testing.assert_close(logits[i], alone[0], **EXACT)
        for key, gradient in gradients.items():
            torch.testing.assert_close(gradient[i], own_gradients[key][0], **EXACT)


@every_network
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "change", [lambda p: p + 0.1, lambda p: p * math.nan, lambda p: p * math.inf]
)
def test_what_happens_to_one_seed_changes_no_bit_of_the_others(name, dtype, change):
    torch.set_default_dtype(dtype)
    model = model_of(name)
    before, x = model.initial(SEEDS), torch.randn(len(SEEDS), BATCH, *model.shape)
    after = {key: torch.stack([p[0], change(p[1]), p[2]]) for key, p in before.items()}
    logits, gradients = losses_and_gradients(model, before, x)
    changed_logits, changed_gradients = losses_and_gradients(model, after, x)
    assert not torch.equal(logits[1], changed_logits[1])
    for i in (0, 2):
        assert torch.equal(logits[i], changed_logits[i])
        assert all(torch.equal(gradients[key][i], changed_gradients[key][i]) for key in gradients)


@every_network
def test_states_of_one_seed_have_no_gradient_in_the_parameters_of_another(name):
    model = model_of(name)
    parameters = with_gradients(model.initial(SEEDS))
    x = torch.randn(len(SEEDS), BATCH, *model.shape)
    model(parameters, x, Setting(SOLVERS["euler"], steps=2)).outputs[1].pow(2).sum().backward()
    for p in parameters.values():
        assert not p.grad[[0, 2]].any()
        assert p.grad[1].any()
