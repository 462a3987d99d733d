"""Optimisers, learning rates, clipping and losses against plain PyTorch, seed by seed."""

import math

import pytest
import torch
from defined import classifier_of
from hypothesis import given
from hypothesis import strategies as st
from plain import PlainClassifier
from test_loop import data_of, initial, same_bits, spec_of, train
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_
from torch.optim import SGD, Adam, AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR, StepLR

from solverproof.errors import InputError
from solverproof.training import loop
from solverproof.training.batches import batch_indices
from solverproof.training.optimizers import learning_rate
from solverproof.training.specifications import Protocol
from solverproof.user_code import UserCodeError

FOCAL = """
import torch


def focal(outputs, labels):
    log = torch.log_softmax(outputs, 1).gather(1, labels[:, None])[:, 0]
    return -((1 - log.exp()) ** 2 * log).mean()


def each(outputs, labels):
    return outputs[:, 0]


def broken(outputs, labels):
    return outputs @ outputs
"""


def focal(outputs, labels):
    log = torch.log_softmax(outputs, 1).gather(1, labels[:, None])[:, 0]
    return -((1 - log.exp()) ** 2 * log).mean()


def squared(outputs, labels):
    return functional.mse_loss(outputs, functional.one_hot(labels, outputs.shape[1]).double())


def constant(optimizer):
    return StepLR(optimizer, 1, gamma=1.0)


WAYS = {
    "adamw": (
        {"optimizer": "adamw", "weight_decay": 0.3},
        lambda p: AdamW(p, 0.01, weight_decay=0.3),
    ),
    "adam with decay": ({"weight_decay": 0.3}, lambda p: Adam(p, 0.01, weight_decay=0.3)),
    "sgd": (
        {"optimizer": "sgd", "momentum": 0.9, "weight_decay": 0.1},
        lambda p: SGD(p, 0.01, momentum=0.9, weight_decay=0.1),
    ),
}
SCHEDULES = {
    "constant": ({}, constant),
    "cosine": ({"schedule": "cosine"}, lambda o: CosineAnnealingLR(o, 5)),
    "step": ({"schedule": "step", "decay_every": 2, "decay": 0.5}, lambda o: StepLR(o, 2, 0.5)),
}
LOSSES = {
    "cross_entropy": functional.cross_entropy,
    "mean_squared_error": squared,
    "my_losses:focal": focal,
}


@pytest.fixture(autouse=True)
def losses(importable):
    importable("my_losses", FOCAL)


def assert_trained_as_plain(
    monkeypatch, protocol, make, *, schedule=constant, clip=math.inf, loss, rtol=1e-7
):
    drawn = []

    def recording(*arguments):
        for index in batch_indices(*arguments):
            drawn.append(index)
            yield index

    monkeypatch.setattr(loop, "batch_indices", recording)
    data, spec = data_of("mlp"), spec_of("mlp", seeds=[4, 5], **protocol)
    x, y = torch.from_numpy(data["train_x"]), torch.from_numpy(data["train_y"])
    start = initial(spec, data)
    drawn.clear()
    trained, model = train(spec, data), classifier_of(spec["model"], x.shape[1:])
    for i in range(2):
        plain = PlainClassifier(model, start, i)
        optimizer = make(plain.parameters())
        falling = schedule(optimizer)
        for batch in drawn[:5]:
            optimizer.zero_grad()
            loss(plain(x[batch[i]], "euler", 3), y[batch[i]]).backward()
            clip_grad_norm_(plain.parameters(), clip)
            optimizer.step()
            falling.step()
        final = PlainClassifier(model, trained.parameters, i)
        for ours, theirs in zip(final.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=rtol, atol=rtol / 100)


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("way", WAYS)
def test_an_optimiser_and_a_schedule_are_those_of_pytorch(way, schedule, monkeypatch):
    (keys, make), (falling, theirs) = WAYS[way], SCHEDULES[schedule]
    assert_trained_as_plain(
        monkeypatch, {**keys, **falling}, make, schedule=theirs, loss=functional.cross_entropy
    )


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_minimised_for_every_seed_by_itself(name, monkeypatch):
    make = WAYS["sgd"][1]
    assert_trained_as_plain(monkeypatch, {**WAYS["sgd"][0], "loss": name}, make, loss=LOSSES[name])


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("most", [0.05, 1e9], ids=["clipped", "never reached"])
def test_the_gradient_of_each_seed_is_clipped_by_its_own_norm(most, monkeypatch):
    keys, make = WAYS["sgd"]
    assert_trained_as_plain(
        monkeypatch,
        {**keys, "clip": most},
        make,
        clip=most,
        loss=functional.cross_entropy,
        rtol=1e-5,  # PyTorch adds 1e-6 to the norm that it divides by
    )


def test_the_default_protocol_trains_the_same_bits_as_its_keys_written_out():
    data, keys = data_of("sphere2", "float32"), {"optimizer": "adam", "schedule": "constant"}
    bare, written = spec_of("sphere2"), spec_of("sphere2", **keys, loss="cross_entropy")
    assert same_bits(train(bare, data).parameters, train(written, data).parameters)


def protocol_of(**keys):
    return Protocol(iterations=100, batch=1, learning_rate=0.3, history_every=1, **keys)


@given(st.integers(1, 100), st.integers(1, 100))
def test_a_learning_rate_never_rises(one, other):
    for keys in ({"schedule": "cosine"}, {"schedule": "step", "decay_every": 7, "decay": 0.5}):
        protocol = protocol_of(**keys)
        earlier, later = sorted((one, other))
        assert 0.3 >= learning_rate(protocol, earlier) >= learning_rate(protocol, later) > 0


def test_a_training_that_is_made_longer_goes_on_with_its_last_rate():
    for keys in ({"schedule": "cosine"}, {"schedule": "step", "decay_every": 7, "decay": 0.5}):
        protocol = protocol_of(**keys)
        assert learning_rate(protocol, 101) == learning_rate(protocol, 100)
        assert learning_rate(protocol, 250) == learning_rate(protocol, 100)


def test_a_loss_of_ones_own_that_is_no_number_is_told():
    data = data_of("mlp", "float32")
    with pytest.raises(InputError, match=r"my_losses:each returns \(16,\); return a tensor"):
        train(spec_of("mlp", loss="my_losses:each"), data)
    with pytest.raises(InputError, match="my_losses:none: module 'my_losses' has no attribute"):
        train(spec_of("mlp", loss="my_losses:none"), data)
    with pytest.raises(UserCodeError, match="my_losses:broken: RuntimeError: "):
        train(spec_of("mlp", loss="my_losses:broken"), data)
