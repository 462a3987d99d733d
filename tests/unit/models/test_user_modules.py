import pytest
import torch
from defined import classifier_of
from torch import nn

from solverproof.errors import InputError
from solverproof.ode.integration import SolverError
from solverproof.ode.solvers import SOLVERS, Setting
from solverproof.study.fingerprint import module_hash

SOURCE = """
import torch
from torch import nn


class Smooth(nn.Module):
    def __init__(self, shape, width=5):
        super().__init__()
        (size,) = shape[1:]
        self.layers = nn.Sequential(nn.Linear(size, width), nn.Tanh(), nn.Linear(width, size))

    def forward(self, state):
        return self.layers(state)


class Swinging(Smooth):
    def forward(self, t, state):
        return t.cos() * super().forward(state)


class Clocked(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.layer = nn.Linear(shape[-1] + 1, shape[-1])

    def forward(self, t, z):
        return self.layer(torch.cat([z, t.expand(*z.shape[:-1], 1)], -1))


class Greedy(Smooth):
    def forward(self, t, state, more):
        return state


class Shrinking(Smooth):
    def forward(self, state):
        return super().forward(state)[..., 1:]


class Remembering(Smooth):
    def __init__(self, shape):
        super().__init__(shape)
        self.register_buffer("count", torch.zeros(1))


def function(shape):
    return shape
"""
SHAPE = (1, 3)
EULER = Setting(SOLVERS["euler"], steps=4)


@pytest.fixture(autouse=True)
def module(importable):
    """A file of the user's own, in the working directory."""
    return importable("my_fields", SOURCE)


def model_of(name, **options):
    network = {"family": "module", "path": f"my_fields:{name}", "options": options}
    return classifier_of({"network": network, "outputs": 2, "horizon": 1.0}, SHAPE)


def test_a_field_of_ones_own_is_its_module_for_every_seed():
    from my_fields import Smooth

    model = model_of("Smooth", width=4)
    parameters, x = model.initial([0, 1]), torch.randn(2, 6, *SHAPE)
    velocity = model.vector_field(parameters)(torch.zeros(()), x)
    for i in range(2):
        own = Smooth(SHAPE, width=4)
        own.load_state_dict(
            {name.removeprefix("field."): p[i] for name, p in parameters.items() if "field" in name}
        )
        torch.testing.assert_close(velocity[i], own(x[i]))


@pytest.mark.parametrize("t", [0.0, 0.7])
def test_a_field_whose_forward_takes_time_and_state_gets_both(t):
    from my_fields import Swinging

    model = model_of("Swinging")
    parameters, x = model.initial([0, 1]), torch.randn(2, 6, *SHAPE)
    velocity = model.vector_field(parameters)(torch.tensor(t), x)
    for i in range(2):
        own = Swinging(SHAPE)
        own.load_state_dict(
            {name.removeprefix("field."): p[i] for name, p in parameters.items() if "field" in name}
        )
        torch.testing.assert_close(velocity[i], own(torch.tensor(t), x[i]))


@pytest.mark.parametrize("gradient", ["backpropagation", "recomputation", "adjoint"])
@pytest.mark.parametrize(
    "setting", [EULER, Setting(SOLVERS["dopri5"], tolerance=1e-3)], ids=["fixed", "adaptive"]
)
@pytest.mark.parametrize("name", ["Swinging", "Clocked"])
def test_a_field_that_depends_on_the_time_is_solved_and_trained_like_any_other(
    name, setting, gradient
):
    model = model_of(name)
    parameters = {name: p.requires_grad_() for name, p in model.initial([0, 1]).items()}
    forward = model(parameters, torch.randn(2, 6, *SHAPE), setting, gradient=gradient)
    assert not any(isinstance(solution, SolverError) for solution in forward.solutions)
    forward.outputs.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in parameters.values())


def test_its_initial_weights_are_those_of_its_own_and_of_the_seed():
    model = model_of("Smooth")
    state = torch.random.get_rng_state()
    first, again, other = model.initial([3]), model.initial([3]), model.initial([4])
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any((first[name] != other[name]).any() for name in first)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(3)
    layer = nn.Linear(3, 5)
    assert torch.equal(first["field.layers.0.weight"][0], layer.weight)


@pytest.mark.parametrize(
    "setting", [EULER, Setting(SOLVERS["dopri5"], tolerance=1e-3)], ids=["fixed", "adaptive"]
)
def test_it_is_solved_and_trained_like_any_other(setting):
    model = model_of("Smooth")
    parameters = {name: p.requires_grad_() for name, p in model.initial([0, 1]).items()}
    forward = model(parameters, torch.randn(2, 6, *SHAPE), setting)
    assert not any(isinstance(solution, SolverError) for solution in forward.solutions)
    forward.outputs.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in parameters.values())


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("Shrinking", "keeps the shape"),
        ("Greedy", r"forward takes 3 arguments; write forward\(z\) or forward\(t, z\)"),
        ("Remembering", "has the buffer 'count'; write a module of parameters alone"),
        ("function", "write a class of torch.nn.Module"),
        ("Missing", "write module:name"),
    ],
)
def test_what_is_no_field_is_refused_in_one_line(name, complaint):
    with pytest.raises(InputError, match=complaint) as caught:
        model_of(name).initial([0])
    assert "\n" not in str(caught.value)


def test_the_hash_of_a_module_follows_its_code_and_not_its_comments(module):
    before = module_hash("my_fields")
    module.write_text("# a comment\n" + SOURCE, encoding="utf-8")
    assert module_hash("my_fields") == before
    module.write_text(SOURCE.replace("Tanh", "ReLU"), encoding="utf-8")
    assert module_hash("my_fields") != before


def test_the_hash_of_a_module_of_a_package_follows_all_of_the_package(tmp_path):
    package = tmp_path / "my_package"
    package.mkdir()
    for name in ("__init__", "fields", "layers"):
        (package / f"{name}.py").write_text("A = 1\n", encoding="utf-8")
    before = module_hash("my_package.fields")
    (package / "layers.py").write_text("A = 2\n", encoding="utf-8")
    assert module_hash("my_package.fields") != before


def test_a_module_that_does_not_exist_is_not_found():
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        module_hash("nowhere.to_be_seen")
