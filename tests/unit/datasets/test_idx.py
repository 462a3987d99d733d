import gzip
import struct

import numpy as np
import pytest
from defined import made, sample_shape

from solverproof.errors import InputError
from solverproof.files import sha256_of

NAMES = [
    f"{part}-{kind}-ubyte.gz"
    for part in ("train", "t10k")
    for kind in ("images-idx3", "labels-idx1")
]
FOLDERS = {"mnist": "mnist", "fashion_mnist": "fashion-mnist"}
RNG = np.random.default_rng(0)
TRAIN_X, TEST_X = (RNG.integers(0, 256, (count, 28, 28), dtype=np.uint8) for count in (12, 6))
TRAIN_Y, TEST_Y = (RNG.integers(0, 10, count, dtype=np.uint8) for count in (12, 6))


def idx(array):
    """The IDX format: a code of the type, the dimensions, then all bytes."""
    return (
        bytes([0, 0, 8, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.tobytes()
    )


@pytest.fixture(params=FOLDERS)
def family(request):
    return request.param


@pytest.fixture
def folder(family, tmp_path, monkeypatch):
    """The source folder of a family, with its four files."""
    monkeypatch.setenv("SOLVERPROOF_DATA", str(tmp_path))
    folder = tmp_path / FOLDERS[family]
    folder.mkdir()
    for name, array in zip(NAMES, (TRAIN_X, TRAIN_Y, TEST_X, TEST_Y), strict=True):
        (folder / name).write_bytes(gzip.compress(idx(array)))
    return folder


def spec(family, folder, **options):
    sums = {name: sha256_of(folder / name) for name in NAMES}
    return {"family": family, "train": 12, "test": 6, "pool": 1, "sha256": sums, **options}


def complaint(family, folder, **options):
    with pytest.raises(InputError) as caught:
        made(spec(family, folder, **options))
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def test_images_and_labels_are_those_of_the_files(family, folder):
    data = made(spec(family, folder))
    np.testing.assert_array_equal(data["train_x"][:, 0], TRAIN_X)
    np.testing.assert_array_equal(data["train_y"], TRAIN_Y)
    np.testing.assert_array_equal(data["test_x"][:, 0], TEST_X)
    np.testing.assert_array_equal(data["test_y"], TEST_Y)


@pytest.mark.parametrize("pool", [1, 2, 4])
def test_the_shape_of_an_image_is_known_without_the_files(pool, family, folder):
    options = spec(family, folder, pool=pool)
    assert made(options)["test_x"].shape[1:] == sample_shape(options) == (1, 28 // pool, 28 // pool)


def test_the_same_specification_makes_the_same_bytes(family, folder):
    first, again = (made(spec(family, folder, train=7, test=5, pool=2)) for _ in range(2))
    assert all(first[name].tobytes() == again[name].tobytes() for name in first)


@pytest.mark.parametrize(
    ("position", "content", "what"),
    [
        (0, idx(TRAIN_X)[:-1], "9407 bytes follow a header that says 9408; take"),
        (0, idx(TRAIN_X) + b"x", "9409 bytes follow a header that says 9408; take"),
        (0, idx(TRAIN_X)[:10], "no IDX file of bytes in 3 dimensions; take"),
        (0, b"", "no IDX file of bytes in 3 dimensions; take"),
        (0, idx(TRAIN_Y), "no IDX file of bytes in 3 dimensions; take"),
        (0, idx(TRAIN_X[:, :14]), "images are 14x28 pixels, not 28x28; take"),
        (1, idx(TRAIN_X), "no IDX file of bytes in 1 dimensions; take"),
        (1, idx(TRAIN_Y[:11]), "there are 11 labels of 12 images; take files that fit"),
        (
            1,
            idx(TRAIN_Y + 1).replace(b"\x08", b"\x0d", 1),
            "no IDX file of bytes in 1 dimensions; take",
        ),
        (3, idx(TEST_Y // 10 + 10), "label 0 is 10, none of 0 … 9; take"),
    ],
)
def test_a_file_that_does_not_hold_what_it_should_is_told(position, content, what, family, folder):
    path = folder / NAMES[position]
    path.write_bytes(gzip.compress(content))
    assert complaint(family, folder).startswith(f"{path}: {what}")


@pytest.mark.parametrize("cut", [0, 20, -4], ids=["empty", "in the middle", "at the end"])
def test_a_broken_gz_file_is_told(cut, family, folder):
    path = folder / NAMES[0]
    content = path.read_bytes()[:cut] or b"no gz"
    path.write_bytes(content)
    assert complaint(family, folder).startswith(f"{path}: no whole .gz file (")


def test_a_compressed_stream_with_a_wrong_bit_is_told(family, folder):
    path = folder / NAMES[2]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert complaint(family, folder).startswith(f"{path}: ")


def test_files_that_are_not_the_published_ones_need_their_checksums(family, folder):
    sums = spec(family, folder)["sha256"]
    message = complaint(family, folder, sha256={})
    assert all(f'"{name}": "{found}"' in message for name, found in sums.items())
    assert NAMES[0] not in complaint(family, folder, sha256={NAMES[0]: sums[NAMES[0]]})
