import io
import json
import tarfile

import numpy as np
import pytest
from defined import made, sample_shape

from solverproof.__main__ import main
from solverproof.datasets.cifar10 import TEST, TRAIN
from solverproof.errors import InputError
from solverproof.files import read_arrays, sha256_of

ARCHIVE = "cifar-10-binary.tar.gz"
RNG = np.random.default_rng(0)
BATCHES = {
    name: (
        RNG.integers(0, 10, 4, dtype=np.uint8),
        RNG.integers(0, 256, (4, 3, 32, 32), dtype=np.uint8),
    )
    for name in TRAIN + TEST
}


def batch(labels, images):
    """The binary layout: for each image its label, then its planes of red, green and blue."""
    return b"".join(
        bytes([label]) + image.tobytes() for label, image in zip(labels, images, strict=True)
    )


MEMBERS = {name: batch(*content) for name, content in BATCHES.items()}
META = {
    "cifar-10-batches-bin/batches.meta.txt": b"airplane\n",
    "cifar-10-batches-bin/readme.html": b"<html>",
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SOLVERPROOF_DATA", str(tmp_path))
    return tmp_path


def archive(folder, members):
    """An archive with members in an order in which the published one has them not."""
    path = folder / ARCHIVE
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            stream = None if info is content else io.BytesIO(content)
            info.size = 0 if stream is None else len(content)
            tar.addfile(info, stream)
    return path


def spec(path, **options):
    data = {
        "family": "cifar10",
        "train": 20,
        "test": 4,
        "pool": 1,
        "sha256": {ARCHIVE: sha256_of(path)},
    }
    return {**data, **options}


def complaint(path, **options):
    with pytest.raises(InputError) as caught:
        made(spec(path, **options))
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def test_images_are_those_of_the_batches_in_their_order(folder):
    data = made(spec(archive(folder, {**META, **dict(reversed(MEMBERS.items()))})))
    for part, names in (("train", TRAIN), ("test", TEST)):
        np.testing.assert_array_equal(
            data[f"{part}_y"], np.concatenate([BATCHES[name][0] for name in names])
        )
        np.testing.assert_array_equal(
            data[f"{part}_x"], np.concatenate([BATCHES[name][1] for name in names])
        )


@pytest.mark.parametrize("pool", [1, 2, 4])
def test_the_shape_of_an_image_is_known_without_the_archive(pool, folder):
    options = spec(archive(folder, MEMBERS), pool=pool)
    assert (
        made(options)["train_x"].shape[1:] == sample_shape(options) == (3, 32 // pool, 32 // pool)
    )


def test_a_subset_is_the_beginning_of_the_whole(folder):
    path = archive(folder, MEMBERS)
    whole, some = made(spec(path)), made(spec(path, train=6, test=2))
    np.testing.assert_array_equal(some["train_x"], whole["train_x"][:6])
    np.testing.assert_array_equal(some["test_y"], whole["test_y"][:2])


def test_no_file_is_written_whatever_paths_the_archive_has(folder):
    before = set(folder.parent.rglob("*"))
    path = archive(
        folder, {"../outside.txt": b"x", "/outside.txt": b"x", **MEMBERS, "inside.txt": b"x"}
    )
    made(spec(path))
    assert set(folder.parent.rglob("*")) - before == {path}


def link(name):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/hostname"
    return info


def directory(name):
    info = tarfile.TarInfo(name)
    info.type = tarfile.DIRTYPE
    return info


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({TEST[0]: None}, f"{TEST[0]} is missing in it"),
        ({TRAIN[2]: None, f"../{TRAIN[2]}": MEMBERS[TRAIN[2]]}, f"{TRAIN[2]} is missing in it"),
        ({TRAIN[2]: None, f"./{TRAIN[2]}": MEMBERS[TRAIN[2]]}, f"{TRAIN[2]} is missing in it"),
        ({TRAIN[1]: directory(TRAIN[1])}, f"{TRAIN[1]} is missing in it"),
        ({TRAIN[1]: link(TRAIN[1])}, "no whole .tar.gz archive"),
        ({TRAIN[0]: MEMBERS[TRAIN[0]][:-1]}, f"{TRAIN[0]} has 12291 bytes, no multiple of 3073"),
        ({TRAIN[0]: b""}, f"{TRAIN[0]} has 0 bytes"),
        (
            {TEST[0]: batch([3, 10, 1, 2], BATCHES[TEST[0]][1])},
            f"{TEST[0]}: label 1 is 10, none of 0 … 9",
        ),
    ],
)
def test_an_archive_that_does_not_hold_the_batches_is_told(changes, what, folder):
    members = {
        name: content for name, content in {**MEMBERS, **changes}.items() if content is not None
    }
    path = archive(folder, members)
    message = complaint(path)
    assert message.startswith(f"{path}: {what}")
    assert message.endswith("; take another copy")


@pytest.mark.parametrize("content", [b"", b"no archive", None], ids=["empty", "text", "truncated"])
def test_a_copy_that_is_no_archive_is_told(content, folder):
    path = archive(folder, MEMBERS)
    path.write_bytes(path.read_bytes()[:-2000] if content is None else content)
    assert complaint(path).startswith(f"{path}: no whole .tar.gz archive (")


def test_an_archive_is_not_opened_unless_it_has_the_checksum(folder):
    path = archive(folder, MEMBERS)
    expected = sha256_of(path)
    path.write_bytes(b"no archive")
    assert f'expected {{"{ARCHIVE}": "{expected}"}}' in complaint(path, sha256={ARCHIVE: expected})
    assert "expected" in complaint(path, sha256={})


def test_preparing_writes_all_arrays_or_tells_in_one_line_and_writes_nothing(folder, capsys):
    options, out = spec(archive(folder, MEMBERS), pool=2), folder / "results" / "data.safetensors"
    assert main(["prepare", "--spec", json.dumps({**options, "train": 21}), "--out", str(out)]) == 2
    assert (
        capsys.readouterr().err
        == "solverproof: train: there are 20 images, not 21; write train: 20 or less\n"
    )
    assert not out.exists()
    assert main(["prepare", "--spec", json.dumps(options), "--out", str(out)]) == 0
    assert read_arrays(out).keys() == {"train_x", "train_y", "test_x", "test_y"}


def test_a_folder_for_results_that_cannot_be_written_is_told_in_one_line(folder, capsys):
    options, results = spec(archive(folder, MEMBERS)), folder / "results"
    results.write_bytes(b"")
    assert (
        main(["prepare", "--spec", json.dumps(options), "--out", str(results / "data.safetensors")])
        == 2
    )
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"solverproof: {results / 'data.safetensors'}: ")
    assert line.endswith("choose another folder")


def test_a_disk_that_is_full_of_results_is_told_in_one_line_and_leaves_nothing(
    folder, capsys, full_disk
):
    options, out = spec(archive(folder, MEMBERS)), folder / "results" / "data.safetensors"
    with full_disk(10_000):
        assert main(["prepare", "--spec", json.dumps(options), "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"solverproof: {out}: ")
    assert "make room" in line
    assert list(out.parent.iterdir()) == []
