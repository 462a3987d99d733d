import pytest
import torch
from defined import classifier_of

from solverproof.errors import InputError
from solverproof.models.devices import chosen_device, use_full_precision

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


@pytest.mark.parametrize(
    ("cuda", "mps", "found"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_is_the_first_gpu_that_is_there_or_the_cpu(cuda, mps, found, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert chosen_device("auto").type == found
    assert chosen_device("cpu").type == "cpu"


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_told_in_one_line(name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(
        InputError, match=f"there is no {name} on this machine; write device: auto or cpu"
    ):
        chosen_device(name)


def test_products_on_gpus_are_in_full_precision():
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    use_full_precision()
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


@needs_gpu
def test_a_gpu_computes_what_a_cpu_computes():
    from solverproof.ode.solvers import SOLVERS, Setting

    model = classifier_of(
        {"network": {"family": "conv", "channels": 8}, "outputs": 10, "horizon": 1.0}, (3, 8, 8)
    )
    parameters, x = model.initial([0, 1]), torch.randn(2, 16, 3, 8, 8)
    here = model(parameters, x, Setting(SOLVERS["rk4"], steps=3)).outputs
    there = model(
        {name: p.cuda() for name, p in parameters.items()},
        x.cuda(),
        Setting(SOLVERS["rk4"], steps=3),
    ).outputs
    torch.testing.assert_close(there.cpu(), here, rtol=1e-4, atol=1e-4)
