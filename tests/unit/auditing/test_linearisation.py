"""Jacobians of fields against closed forms, and autograd's against the field's own values."""

import pytest
import torch
from torch import nn

from solverproof.auditing.linearisation import (
    Linearisation,
    NotDifferentiableError,
    check_derivative,
    jacobians,
)

T = torch.tensor(0.3, dtype=torch.float64)
pytestmark = pytest.mark.usefixtures("double_precision")


class Network(nn.Module):
    def __init__(self, features, width=12):
        super().__init__()
        self.first, self.second = nn.Linear(features, width), nn.Linear(width, features)

    def forward(self, t, z):
        return self.second(torch.tanh(self.first(z) + t))

    def jacobian(self, t, z):
        slopes = 1 - torch.tanh(self.first(z) + t) ** 2
        return self.second.weight @ (slopes.unsqueeze(2) * self.first.weight)


class Attention(nn.Module):
    """A field on images of 6 patches with 12 features each."""

    def __init__(self):
        super().__init__()
        self.inward, self.outward = nn.Linear(12, 36), nn.Linear(12, 12)

    def forward(self, _, z):
        queries, keys, values = self.inward(z.view(len(z), 1, 6, 12)).chunk(3, dim=-1)
        mixed = nn.functional.scaled_dot_product_attention(queries, keys, values)
        return self.outward(mixed).reshape(len(z), 72)


class Convolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ELU(), nn.Flatten())

    def forward(self, _, z):
        return self.layers(z.view(len(z), 1, 4, 5)).view(len(z), 3, 20).mean(1)


def potential(_, z):
    """Minus the gradient of sum cos(z), computed by autograd inside, as in Hamiltonian networks."""
    with torch.enable_grad():
        energy = torch.cos(z.requires_grad_()).sum()
        return -torch.autograd.grad(energy, z, create_graph=True)[0]


def check(field, features=3, samples=16):
    check_derivative(field, T, torch.randn(samples, features), torch.Generator().manual_seed(1))


def test_the_jacobian_of_a_network_is_its_closed_form():
    network, states = Network(4), torch.randn(3, 7, 4)
    times = torch.tensor([0.0, 0.4, 1.0])
    found = jacobians(network, times, states)
    expected = torch.stack([network.jacobian(t, z) for t, z in zip(times, states, strict=True)])
    assert found.shape == (3, 7, 4, 4)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("field", "features"),
    [(Network(5), 5), (Attention(), 72), (Convolution(), 20), (potential, 3)],
    ids=["network", "attention", "convolution", "autograd inside"],
)
def test_products_agree_with_the_full_jacobian(field, features):
    if isinstance(field, nn.Module):
        field = field.double()
    z, u = torch.randn(2, 4, features)
    jacobian = Linearisation(field, T, z)
    full = jacobian.matrix()
    torch.testing.assert_close(jacobian.times(u), torch.einsum("sij,sj->si", full, u))
    torch.testing.assert_close(jacobian.transposed(u), torch.einsum("sij,si->sj", full, u))
    # a second product from the same pass
    torch.testing.assert_close(jacobian.times(-2 * u), -2 * jacobian.times(u))


def test_a_field_that_calls_autograd_inside_has_its_second_derivative():
    z = torch.randn(5, 3)
    torch.testing.assert_close(jacobians(potential, T[None], z[None])[0], torch.diag_embed(z.cos()))


def test_no_gradients_are_needed_and_no_parameter_or_state_gets_one():
    network, z = Network(4), torch.randn(7, 4)
    with torch.no_grad():
        jacobian = Linearisation(network, T, z)
        found = jacobian.times(z) + jacobian.transposed(z)
        assert not torch.is_grad_enabled()
    assert not found.requires_grad
    assert not z.requires_grad
    assert all(p.grad is None for p in network.parameters())
    torch.testing.assert_close(jacobian.matrix(), network.jacobian(T, z))


def test_states_in_float32_are_taken_to_float64():
    network, z = Network(4), torch.randn(7, 4)
    found = Linearisation(network, T.float(), z.float()).matrix()
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, network.jacobian(T.float(), z.float().double()))


def test_at_the_kink_of_a_relu_the_jacobian_is_one_of_its_sides():
    z = torch.tensor([[-1.0, 2.0], [0.0, 3.0]])
    found = Linearisation(lambda _, z: 5 * torch.relu(z), T, z).matrix()
    assert torch.diagonal(found, dim1=1, dim2=2).tolist() == [[0, 5], [0, 5]]


def test_a_field_that_does_not_depend_on_the_state_has_jacobian_zero():
    drift = nn.Parameter(torch.ones(3))
    for field in (lambda _, z: drift.expand_as(z), lambda t, z: torch.ones_like(z) * t):
        jacobian = Linearisation(field, T, torch.randn(4, 3))
        assert not jacobian.matrix().any()
        assert not jacobian.times(torch.ones(4, 3)).any()
        check(field)


def detached(_, z):
    return torch.sin(z) - 3 * z.detach()


@torch.no_grad()
def without_gradients(_, z):
    return torch.sin(z)


def rounded(_, z):
    return z + (torch.round(8 * z) / 8 - z).detach() * 50


def cut_inside(_, z):
    with torch.enable_grad():
        start = z.detach().requires_grad_()
        return -torch.autograd.grad(torch.cos(start).sum(), start)[0]


@pytest.mark.parametrize("field", [detached, without_gradients, rounded, cut_inside])
def test_a_field_whose_derivative_autograd_does_not_see_is_refused(field):
    with pytest.raises(NotDifferentiableError, match="does it detach, round"):
        check(field)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 30.0, 1e3])
@pytest.mark.parametrize("samples", [1, 40])
def test_the_derivative_of_a_network_is_accepted_whatever_its_scale(scale, samples):
    network = Network(4)
    check(lambda t, z: scale * network(t, scale * z), features=4, samples=samples)


def test_a_steep_field_is_accepted_though_coarse_differences_miss_its_derivative():
    check(lambda _, z: torch.sin(3e4 * z))


def test_states_that_sit_at_a_kink_are_no_fault_of_the_field():
    black = torch.zeros(8, 20)
    check_derivative(lambda _, z: torch.relu(z), T, black, torch.Generator().manual_seed(0))


def test_a_network_that_computes_in_float32_inside_is_accepted():
    network = Network(4).float()
    check(lambda t, z: network(t.float(), z.float()).double(), features=4)
