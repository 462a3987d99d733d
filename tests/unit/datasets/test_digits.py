import numpy as np
import pytest
from sklearn.datasets import load_digits

from solverproof.datasets.digits import digits


@pytest.fixture(scope="module")
def split():
    return digits(test=360, seed=0)


def images_with_labels(x, y):
    return sorted((image.tobytes(), label) for image, label in zip(x, y.tolist(), strict=True))


def test_all_images_are_there_in_the_asked_for_shares(split):
    assert split["train_x"].shape == (1437, 1, 8, 8)
    assert split["test_x"].shape == (360, 1, 8, 8)
    assert {split["train_x"].dtype, split["test_x"].dtype} == {np.dtype(np.float32)}
    assert {split["train_y"].dtype, split["test_y"].dtype} == {np.dtype(np.int64)}


def test_pixels_fill_the_range_from_0_to_1(split):
    pixels = np.concatenate([split["train_x"], split["test_x"]])
    assert (pixels.min(), pixels.max()) == (0.0, 1.0)


def test_the_two_parts_together_are_the_images_of_scikit_learn_with_their_labels(split):
    bunch = load_digits()
    x = np.concatenate([split["train_x"], split["test_x"]])
    y = np.concatenate([split["train_y"], split["test_y"]])
    assert images_with_labels(x[:, 0] * 16, y) == images_with_labels(
        bunch.images.astype(np.float32), bunch.target
    )


def test_no_image_is_in_both_parts(split):
    both = np.concatenate([split["train_x"], split["test_x"]])
    distinct = len(np.unique(load_digits().images, axis=0))
    assert len(np.unique(both, axis=0)) == distinct == len(both)


@pytest.mark.parametrize("test", [10, 360, 1000])
def test_every_class_gives_its_share_of_the_test_part(test):
    labels = digits(test=test, seed=0)["test_y"]
    shares = np.bincount(load_digits().target) * test / 1797
    assert len(labels) == test
    assert np.abs(np.bincount(labels, minlength=10) - shares).max() < 1


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_split(split):
    again, other = digits(test=360, seed=0), digits(test=360, seed=1)
    assert all(split[name].tobytes() == again[name].tobytes() for name in split)
    assert not np.array_equal(split["test_x"], other["test_x"])
