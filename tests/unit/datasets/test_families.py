import numpy as np
import pytest
import yaml
from defined import made, sample_shape

from solverproof.datasets.base import DataSet
from solverproof.datasets.digits import digits
from solverproof.datasets.minima import minima
from solverproof.datasets.published import FILES, files
from solverproof.datasets.spheres import spheres
from solverproof.study.config import SCHEMA

SPHERES = {"dimension": 3, "train": 40, "test": 20, "seed": 5}
MINIMA = {"train": 40, "test": 20, "seed": 5}
DIGITS = {"test": 360, "seed": 5}
families = pytest.mark.parametrize(
    ("family", "options", "maker"),
    [("spheres", SPHERES, spheres), ("minima", MINIMA, minima), ("digits", DIGITS, digits)],
)


@families
def test_a_specification_makes_the_data_set_of_its_family(family, options, maker):
    found, expected = made({"family": family, **options}), maker(**options)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name]) for name in found)


@families
def test_the_labels_are_all_classes_of_the_family(family, options, maker):
    data = maker(**options)
    assert (
        set(data["train_y"])
        == set(data["test_y"])
        == set(range(DataSet.from_json({"family": family, **options}).class_count()))
    )


@families
def test_the_shape_of_a_sample_is_known_without_making_the_data_set(family, options, maker):
    assert sample_shape({"family": family, **options}) == maker(**options)["train_x"].shape[1:]


IMAGES = {"cifar10": (3, 32), "mnist": (1, 28), "fashion_mnist": (1, 28)}


@pytest.mark.parametrize("family", IMAGES)
def test_published_images_have_ten_classes_and_a_shape_by_their_pooling(family):
    channels, side = IMAGES[family]
    for pool in (1, 2, 4):
        data = DataSet.from_json({"family": family, "pool": pool, "train": 1, "test": 1})
        assert data.class_count() == 10
        assert data.sample_shape() == (channels, side // pool, side // pool)
        assert side % pool == 0


@pytest.mark.parametrize("family", FILES)
def test_published_files_have_all_that_a_download_needs(family):
    for file in files(family, {}):
        name = file.path.rpartition("/")[2]
        assert len(bytes.fromhex(file.sha256)) == 32
        assert len(file.mirrors) >= 2
        assert all(url.startswith("http") and url.endswith(f"/{name}") for url in file.mirrors)
        assert file.mirrors[0].startswith("https://")


@pytest.mark.parametrize("family", FILES)
def test_a_checksum_of_ones_own_replaces_that_of_its_file_which_then_has_no_mirrors(family):
    first, *others = files(family, {})
    copy, *rest = files(family, {first.path.rpartition("/")[2]: "0" * 64})
    assert (copy.path, copy.sha256, copy.mirrors) == (first.path, "0" * 64, ())
    assert rest == others


@pytest.mark.parametrize("family", FILES)
def test_the_schema_takes_checksums_of_just_the_files_of_a_family(family):
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    names = schema["$defs"]["datasets"][family]["properties"]["sha256"]["propertyNames"]["enum"]
    assert names == [file.path.rpartition("/")[2] for file in FILES[family]]
