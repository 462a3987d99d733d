import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from solverproof.datasets.images import check_labels, image_set, pooled
from solverproof.errors import InputError

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 3, 8, 8), dtype=np.uint8)
ARRAYS = {
    "train_x": IMAGES[:8],
    "train_y": np.arange(8, dtype=np.uint8),
    "test_x": IMAGES[8:],
    "test_y": np.arange(4, dtype=np.uint8),
}


def test_the_first_images_of_each_part_are_taken_with_their_labels():
    data = image_set(ARRAYS, train=5, test=3, pool=1)
    assert set(data) == set(ARRAYS)
    np.testing.assert_array_equal(data["train_x"], IMAGES[:5])
    np.testing.assert_array_equal(data["test_x"], IMAGES[8:11])
    assert data["train_y"].tolist() == [0, 1, 2, 3, 4]
    assert data["test_y"].tolist() == [0, 1, 2]


def test_images_are_levels_of_one_byte_and_labels_int64():
    data = image_set(ARRAYS, train=8, test=4, pool=2)
    assert data["train_x"].dtype == data["test_x"].dtype == np.uint8
    assert data["train_y"].dtype == data["test_y"].dtype == np.int64


@given(arrays_of.arrays(np.uint8, (2, 1, 8, 8)), st.sampled_from([1, 2, 4]))
def test_a_pooled_pixel_is_the_average_of_its_square_to_the_nearest_level(x, pool):
    squares = x.reshape(2, 1, 8 // pool, pool, 8 // pool, pool).astype(float)
    found = pooled(x, pool)
    assert found.dtype == np.uint8
    assert np.abs(found - squares.mean((3, 5))).max() <= 0.5


def test_a_half_is_rounded_to_the_even_level():
    x = np.array([[[[0, 1, 1, 1], [0, 1, 2, 2]]]], np.uint8)
    assert pooled(x, 2).tolist() == [[[[0, 2]]]]


@pytest.mark.parametrize(
    ("train", "test", "what"), [(9, 4, "train: there are 8 images, not 9"), (8, 5, "test: ")]
)
def test_more_images_than_there_are_is_told(train, test, what):
    with pytest.raises(InputError, match=what):
        image_set(ARRAYS, train=train, test=test, pool=1)


def test_a_label_out_of_range_is_told_with_its_place():
    check_labels(np.arange(10, dtype=np.uint8), "labels")
    with pytest.raises(
        InputError, match=r"^labels: label 2 is 10, none of 0 … 9; take another copy$"
    ):
        check_labels(np.array([0, 9, 10, 11], np.uint8), "labels")
