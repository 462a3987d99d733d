import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from solverproof.models.samples import samples

CPU = torch.device("cpu")


def images(count=7):
    x = np.random.default_rng(0).integers(0, 256, (count, 3, 4, 5), dtype=np.uint8)
    return {"train_x": x, "train_y": np.arange(count)}


def test_images_stay_bytes_until_a_batch_is_made_of_them():
    train = samples(images(), "train", CPU)
    assert train.x.dtype == torch.uint8
    assert train.inputs(torch.tensor([2, 0])).dtype == torch.float32
    assert (len(train), train.shape) == (7, (3, 4, 5))


@given(st.lists(st.integers(0, 6), min_size=1))
def test_a_batch_has_the_images_it_was_asked_for_with_pixels_between_0_and_1(index):
    data = images()
    found = samples(data, "train", CPU).inputs(torch.tensor(index)).numpy()
    np.testing.assert_allclose(255 * found, data["train_x"][index], rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_no_image_is_left_as_it_is(dtype):
    data = {
        "test_x": np.random.default_rng(0).normal(size=(5, 1, 2)).astype(dtype),
        "test_y": np.arange(5),
    }
    test = samples(data, "test", CPU)
    assert torch.equal(test.inputs(slice(1, 3)), torch.from_numpy(data["test_x"][1:3]))


def test_an_index_of_seeds_and_batch_gives_inputs_of_seeds_and_batch():
    assert samples(images(), "train", CPU).inputs(torch.tensor([[0, 1], [2, 3], [4, 5]])).shape == (
        3,
        2,
        3,
        4,
        5,
    )
