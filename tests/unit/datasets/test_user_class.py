"""Data sets that the user's own code makes."""

import numpy as np
import pytest
from defined import made

from solverproof.datasets.base import DataSet
from solverproof.errors import InputError

SOURCE = """
import numpy as np


class Rings(dict):
    def __init__(self, samples=12, values=False):
        x = np.arange(4.0 * samples).reshape(2, samples, 2)
        y = np.arange(2 * samples).reshape(2, samples) % 2
        y = 0.5 * np.arange(2 * samples).reshape(2, samples) if values else y
        super().__init__(train_x=x[0], train_y=y[0], test_x=x[1], test_y=y[1])


def few():
    return {"train_x": np.zeros((2, 2))}


def pair():
    return np.zeros((2, 2)), [0, 1]


def same():
    x = np.ones((4, 2))
    return {"train_x": x, "train_y": [0, 1, 0, 1], "test_x": x, "test_y": [0, 1, 0, 1]}


def nothing():
    return None
"""


@pytest.fixture(autouse=True)
def module(importable):
    importable("my_data", SOURCE)


def definition(name, **keys):
    return {"family": "module", "path": f"my_data:{name}", "options": {}, **keys}


def test_what_the_code_makes_is_taken_as_a_file_would_be():
    data = made(definition("Rings", classes=2, options={"samples": 6}))
    assert (data["train_x"].shape, data["train_x"].dtype) == ((6, 1, 2), np.float32)
    assert data["train_y"].tolist() == [0, 1, 0, 1, 0, 1]


def test_real_values_are_standardised():
    data = made(definition("Rings", values=1, options={"values": True}))
    assert data["train_y"].shape == (12, 1)
    np.testing.assert_allclose(data["train_y"].std(), 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("few", "my_data:few makes no train_y; make train_x, train_y, test_x, test_y"),
        ("same", "my_data:same: 1 samples are both trained and tested with"),
        ("nothing", "my_data:nothing makes NoneType; make a dictionary of train_x, train_y"),
        ("pair", "my_data:pair makes tuple; make a dictionary of train_x, train_y, test_x, test_y"),
        ("Rungs", "my_data:Rungs: module 'my_data' has no attribute 'Rungs'"),
    ],
)
def test_code_that_makes_something_else_is_told_in_one_line(name, message):
    with pytest.raises(InputError) as caught:
        made(definition(name, classes=2))
    assert str(caught.value).startswith(message)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("keys", [{}, {"classes": 2, "values": 1}])
def test_the_targets_are_told_once(keys):
    (problem,) = DataSet.from_json(definition("Rings", **keys)).problems()
    assert problem[1].startswith("say what it makes, and once")
