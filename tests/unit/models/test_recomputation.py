"""Activations computed again in the backward pass: the same gradients in less memory."""

import pytest
import torch
from defined import classifier_of

from solverproof.models.losses import seed_losses
from solverproof.ode.solvers import SOLVERS, Setting

CASES = {
    "images": (3, 6, 6),
    "a line": (1, 9),
    "a short line": (1, 2),
}
SETTINGS = [
    Setting(SOLVERS["euler"], steps=7),
    Setting(SOLVERS["rk4"], steps=2),
    Setting(SOLVERS["dopri5"], tolerance=1e-3),
]


def model_of(shape):
    return classifier_of(
        {"network": {"family": "conv", "channels": 6}, "outputs": 3, "horizon": 1.0}, shape
    )


def gradients(shape, setting, gradient):
    torch.manual_seed(0)
    model, x, labels = model_of(shape), torch.randn(2, 5, *shape), torch.randint(3, (2, 5))
    parameters = {name: p.requires_grad_() for name, p in model.initial([0, 1]).items()}
    forward = model(parameters, x, setting, gradient=gradient)
    seed_losses(forward.outputs, labels).sum().backward()
    return forward, {name: p.grad for name, p in parameters.items()}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.solver.name)
@pytest.mark.parametrize("case", CASES)
def test_recomputation_gives_the_gradients_and_the_evaluations_of_backpropagation(case, setting):
    (kept, expected), (again, found) = (
        gradients(CASES[case], setting, how) for how in ("backpropagation", "recomputation")
    )
    assert [s.nfe for s in again.solutions] == [s.nfe for s in kept.solutions]
    torch.testing.assert_close(again.outputs, kept.outputs, rtol=0, atol=0)
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-5, atol=1e-7)


def saved_bytes(shape, steps, gradient):
    """Bytes that a forward pass keeps for the backward pass, beside parameters."""
    kept = {}

    def note(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    model = model_of(shape)
    parameters = {name: p.requires_grad_() for name, p in model.initial([0]).items()}
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        forward = model(
            parameters,
            torch.randn(1, 50, *shape),
            Setting(SOLVERS["euler"], steps=steps),
            gradient=gradient,
        )
    del forward
    return sum(kept.values())


def test_what_is_kept_no_longer_grows_with_activations_times_steps():
    shape, state, hidden = (3, 8, 8), 50 * 3 * 64 * 4, 50 * 6 * 64 * 4
    few, many = (saved_bytes(shape, n, "recomputation") for n in (10, 30))
    assert many - few < 1.5 * 20 * state
    few, many = (saved_bytes(shape, n, "backpropagation") for n in (10, 30))
    assert many - few > 20 * 2 * hidden
