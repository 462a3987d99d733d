import numpy as np
import pytest

from solverproof.datasets import CLASSES, make, shape
from solverproof.datasets.digits import digits
from solverproof.datasets.minima import minima
from solverproof.datasets.spheres import spheres

SPHERES = {"dimension": 3, "train": 40, "test": 20, "seed": 5}
MINIMA = {"train": 40, "test": 20, "seed": 5}
DIGITS = {"test": 360, "seed": 5}
families = pytest.mark.parametrize(
    ("family", "options", "maker"),
    [("spheres", SPHERES, spheres), ("minima", MINIMA, minima), ("digits", DIGITS, digits)],
)


@families
def test_a_specification_makes_the_data_set_of_its_family(family, options, maker):
    made, expected = make({"family": family, **options}), maker(**options)
    assert made.keys() == expected.keys()
    assert all(np.array_equal(made[name], expected[name]) for name in made)


@families
def test_the_labels_are_all_classes_of_the_family(family, options, maker):
    data = maker(**options)
    assert set(data["train_y"]) == set(data["test_y"]) == set(range(CLASSES[family]))


@families
def test_the_shape_of_a_sample_is_known_without_making_the_data_set(family, options, maker):
    assert shape({"family": family, **options}) == maker(**options)["train_x"].shape[1:]
