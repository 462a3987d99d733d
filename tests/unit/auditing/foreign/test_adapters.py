"""Adapters, of fields as other libraries call them, without these libraries."""

import pytest
import torch
from torch import nn

from solverproof import audit, flow_matching_field, torchdyn_field
from solverproof.errors import InputError


class Velocity(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, x, t, scale=1.0):
        assert t.ndim == 0
        return scale * (self.layer(x) + t)


def test_the_order_of_time_and_state_is_swapped_and_extras_are_handed_on():
    model, z = Velocity(), torch.randn(5, 2)
    field = flow_matching_field(model, scale=3.0)
    torch.testing.assert_close(field(torch.tensor(0.5), z), 3 * (model.layer(z) + 0.5))


def test_a_model_may_ask_for_a_time_of_each_sample():
    def velocity(x, t):
        assert t.shape == (len(x),)
        return x * t.unsqueeze(1)

    z = torch.randn(5, 2)
    field = flow_matching_field(velocity, per_sample_time=True)
    torch.testing.assert_close(field(torch.tensor(0.5), z), z / 2)


def test_an_adapted_module_is_audited_in_float64_and_left_as_it_is():
    model = Velocity()
    result = audit(flow_matching_field(model), torch.randn(400, 2), solver="rk4", steps=32,
                   candidates=[], progress=False)  # fmt: skip
    assert result.measures["reference"]["float64"]
    assert result.provenance["sha256"]["field"] is not None
    assert model.layer.weight.dtype == torch.float32


class Problem(nn.Module):
    """What an ODEProblem of torchdyn has."""

    def __init__(self, field):
        super().__init__()
        self.vf, self.solver = field, nn.Identity()


class Field(nn.Module):
    def forward(self, t, x, args=None):
        return x * t * args.get("factor", 1.0)


def test_the_field_of_a_torchdyn_problem_and_one_alone_get_their_arguments():
    z, t = torch.randn(5, 2), torch.tensor(0.5)
    torch.testing.assert_close(torchdyn_field(Problem(Field()))(t, z), z / 2)
    torch.testing.assert_close(torchdyn_field(Field(), {"factor": 4.0})(t, z), 2 * z)


@pytest.mark.parametrize(("name", "value"), [("_control", None), ("noise_dist", object())])
def test_a_torchdyn_field_of_more_than_time_and_state_is_refused(name, value):
    field = Field()
    setattr(field, name, value)
    with pytest.raises(InputError, match="the field"):
        torchdyn_field(Problem(field))


def test_a_module_that_keeps_a_value_with_its_graph_is_copied_without_the_graph():
    class Keeping(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.tensor(0.5))
            self.kept = None

        def forward(self, t, z):
            self.kept = 2 * self.weight + t
            return -z * self.weight

    field = Keeping()
    field(torch.tensor(0.0), torch.ones(1, 2))
    assert not field.kept.is_leaf
    result = audit(field, torch.ones(400, 2), solver="rk4", steps=16, candidates=[],
                   progress=False)  # fmt: skip
    assert result.verdict == "PASS"
    assert field.kept.requires_grad
