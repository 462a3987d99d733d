"""Encoders and heads: zeros appended, and modules of the user's own."""

import pytest
import torch
from defined import classifier_of

from solverproof.errors import InputError
from solverproof.models.augmentation import augmented
from solverproof.ode.solvers import SOLVERS, Setting
from solverproof.user_code import UserCodeError

SOURCE = """
import torch
from torch import nn


class Down(nn.Module):
    def __init__(self, shape, channels=2):
        super().__init__()
        self.layer = nn.Conv2d(shape[0], channels, 3, stride=2, padding=1)

    def forward(self, x):
        return self.layer(x)


class Pool(nn.Module):
    def __init__(self, shape, outputs):
        super().__init__()
        self.layer = nn.Linear(shape[0], outputs)

    def forward(self, z):
        return self.layer(z.mean((2, 3)))


class Flat(nn.Module):
    def __init__(self, shape):
        super().__init__()

    def forward(self, x):
        return x.flatten(1)


class Few(Pool):
    def forward(self, z):
        return super().forward(z)[:, :1]


class Fails(Down):
    def forward(self, x):
        raise ValueError("no way\\nand more")
"""
EULER = Setting(SOLVERS["euler"], steps=3)
NETWORK = {"family": "conv", "channels": 4}


@pytest.fixture(autouse=True)
def module(importable):
    importable("my_ends", SOURCE)


def model_of(shape, **keys):
    return classifier_of({"network": NETWORK, "outputs": 3, **keys}, shape)


@pytest.mark.parametrize(
    ("sample", "state"), [((1, 2), (1, 5)), ((3, 8, 8), (6, 8, 8)), ((2, 7), (5, 7))]
)
def test_zeros_are_appended_to_the_features_of_a_line_and_to_the_channels_of_others(sample, state):
    model, x = model_of(sample, augment=3), torch.randn(2, 4, *sample)
    assert model.shape == augmented(sample, 3) == state
    start = model.start(model.initial([0, 1]), x)
    assert start.shape == (2, 4, *state)
    inputs = start[tuple(map(slice, x.shape))]
    assert torch.equal(inputs, x)
    assert start.count_nonzero() == x.count_nonzero()


def test_without_zeros_the_state_is_the_input_and_the_weights_are_what_they_were():
    plain, none = model_of((1, 2)), model_of((1, 2), augment=0)
    x, parameters = torch.randn(1, 5, 1, 2), plain.initial([7])
    assert plain.start(parameters, x) is x
    assert all(torch.equal(p, parameters[name]) for name, p in none.initial([7]).items())


def test_an_augmented_field_moves_points_where_a_flow_of_the_plane_cannot():
    # on a line no flow lets points pass each other; with a second dimension one does
    turn = torch.tensor([[0.0, -torch.pi], [torch.pi, 0.0]])
    model, x = model_of((1, 1), augment=1), torch.tensor([[[[-1.0]], [[1.0]]]])
    state = model.start(model.initial([0]), x)[0, :, 0]
    end = state @ torch.linalg.matrix_exp(turn).T
    assert end[0, 0] > 0 > end[1, 0]


def test_an_encoder_may_make_images_smaller_and_a_head_may_pool_them():
    keys = {"encoder": {"path": "my_ends:Down"}, "head": {"path": "my_ends:Pool"}}
    model, x = model_of((1, 8, 8), **keys), torch.randn(2, 5, 1, 8, 8)
    parameters = model.initial([0, 1])
    assert model.shape == (2, 4, 4)
    forward = model(parameters, x, EULER)
    assert (forward.state.shape, forward.outputs.shape) == ((2, 5, 2, 4, 4), (2, 5, 3))
    from my_ends import Down, Pool

    for i in range(2):
        encoder, head = Down((1, 8, 8)), Pool((2, 4, 4), 3)
        for part, own in (("encoder", encoder), ("head", head)):
            own.load_state_dict(
                {name: parameters[f"{part}.{name}"][i] for name, _ in own.named_parameters()}
            )
        torch.testing.assert_close(model.start(parameters, x)[i], encoder(x[i]))
        torch.testing.assert_close(forward.outputs[i], head(forward.state[i]))


@pytest.mark.parametrize("gradient", ["backpropagation", "recomputation", "adjoint"])
def test_gradients_reach_the_encoder_and_the_head(gradient):
    keys = {"encoder": {"path": "my_ends:Down"}, "head": {"path": "my_ends:Pool"}}
    model = model_of((1, 8, 8), **keys)
    parameters = {n: p.requires_grad_() for n, p in model.initial([0, 1]).items()}
    forward = model(parameters, torch.randn(2, 5, 1, 8, 8), EULER, gradient=gradient)
    forward.outputs.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in parameters.values())


def test_encoder_field_and_head_draw_unlike_weights_for_a_seed():
    keys = {"encoder": {"path": "my_ends:Down"}, "head": {"path": "my_ends:Pool"}}
    parameters = model_of((1, 8, 8), **keys).initial([0, 1])
    first = [p.flatten(1)[:, 0] for name, p in parameters.items() if name.endswith("weight")]
    assert len({tuple(values.tolist()) for values in first}) == len(first) == 2
    assert not torch.equal(*parameters["encoder.layer.weight"])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"encoder": {"path": "my_ends:Flat"}}, r"Flat maps inputs \(2, 1, 8, 8\) to \(2, 64\)"),
        ({"head": {"path": "my_ends:Few"}}, r"Few maps two states .* to \(2, 1\); make outputs"),
        ({"encoder": {"path": "my_ends:Missing"}}, "has no attribute 'Missing'"),
        (
            {"encoder": {"path": "my_ends:Down", "options": {"chanels": 1}}},
            "my_ends:Down: TypeError: .*unexpected keyword",
        ),
    ],
)
def test_an_end_that_does_not_fit_is_told_in_one_line(keys, message):
    with pytest.raises(InputError, match=message) as caught:
        model_of((1, 8, 8), **keys)
    assert len(str(caught.value).splitlines()) == 1


def test_an_end_that_fails_is_told_in_one_line_with_its_own_exception_as_the_cause():
    with pytest.raises(UserCodeError, match=r"^my_ends:Fails: ValueError: no way$") as caught:
        model_of((1, 8, 8), encoder={"path": "my_ends:Fails"})
    assert isinstance(caught.value.__cause__, ValueError)
