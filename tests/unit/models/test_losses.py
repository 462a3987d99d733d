"""What is minimised, and how good outputs are, on tensors made by hand."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from solverproof.models.losses import mean_squared_error, seed_losses, seed_scores


def test_the_score_of_labels_is_the_share_of_samples_whose_largest_output_is_theirs():
    outputs = torch.tensor([[[2.0, 1.0], [0.0, 3.0], [1.0, 0.0]], [[0.0, 1.0]] * 3])
    assert seed_scores(outputs, torch.tensor([[0, 1, 1]] * 2)).tolist() == [2 / 3, 2 / 3]


def test_an_output_that_is_not_finite_is_wrong_whatever_its_largest_value():
    outputs = torch.tensor([[[1.0, math.nan], [math.inf, 0.0], [2.0, 1.0]]])
    assert seed_scores(outputs, torch.zeros(1, 3, dtype=torch.long)).tolist() == [1 / 3]


def test_the_score_of_values_is_the_root_of_their_mean_squared_error():
    outputs = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    targets = torch.tensor([[[1.0, 0.0], [3.0, 0.0]]])
    assert seed_scores(outputs, targets).item() == pytest.approx(math.sqrt((4 + 16) / 4))
    assert seed_losses(outputs, targets).item() == pytest.approx((4 + 16) / 4)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_one_value_that_is_not_finite_makes_the_error_infinite(value):
    assert seed_scores(torch.tensor([[[value], [0.0]]]), torch.zeros(1, 2, 1)).tolist() == [
        math.inf
    ]


def test_labels_become_ones_and_zeros_where_their_squared_error_is_minimised():
    outputs = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]])
    assert mean_squared_error(outputs, torch.tensor([[0, 2]])).item() == pytest.approx(1 / 6)


@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 3), st.integers(0, 99))
def test_predicting_the_mean_of_standardised_values_has_an_error_of_one(seeds, batch, k, seed):
    torch.manual_seed(seed)
    targets = torch.randn(seeds, batch + 1, k)
    targets -= targets.mean(1, keepdim=True)
    targets /= targets.square().mean(1, keepdim=True).sqrt()
    scores = seed_scores(torch.zeros_like(targets), targets)
    torch.testing.assert_close(scores, torch.ones_like(scores), rtol=1e-5, atol=0)
