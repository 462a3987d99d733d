"""Files of published images come from the folder that the configuration or environment names."""

import gzip
import hashlib
import json
import struct

import pytest

pytestmark = pytest.mark.workflow

DATA = "results/data/tiny_mnist.safetensors"


def copies(folder):
    """Four tiny files in the format of MNIST, each of ten black images; their checksums by name."""
    folder.mkdir(parents=True)
    images = bytes([0, 0, 8, 3]) + struct.pack(">3I", 10, 28, 28) + bytes(10 * 28 * 28)
    labels = bytes([0, 0, 8, 1]) + struct.pack(">I", 10) + bytes(range(10))
    sums = {}
    for part in ("train", "t10k"):
        for name, content in (
            (f"{part}-images-idx3-ubyte.gz", images),
            (f"{part}-labels-idx1-ubyte.gz", labels),
        ):
            packed = gzip.compress(content, mtime=0)
            (folder / name).write_bytes(packed)
            sums[name] = hashlib.sha256(packed).hexdigest()
    return sums


def overlay(sums, source):
    data = {"family": "mnist", "train": 10, "test": 10, "pool": 4, "sha256": sums}
    task = {"data": data, "network": "conv16", "protocol": "digits"}
    return json.dumps({"source": source, "tasks": {"tiny_mnist": task}})


@pytest.mark.parametrize("named_by", ["configuration", "environment"])
def test_images_are_prepared_from_the_folder_that_is_named_by_the(named_by, fresh, monkeypatch):
    sums = copies(fresh.folder / "raw" / "mnist")
    monkeypatch.delenv("SOLVERPROOF_DATA", raising=False)
    if named_by == "environment":
        monkeypatch.setenv("SOLVERPROOF_DATA", "raw")
    fresh.change(overlay(sums, "raw" if named_by == "configuration" else "nowhere"))
    fresh.run(DATA, cores=1)
    assert (fresh.folder / DATA).stat().st_size > 0
    assert not (fresh.folder / "nowhere").exists()


def test_a_file_that_is_missing_is_told_in_the_log_in_one_line(fresh, monkeypatch):
    monkeypatch.delenv("SOLVERPROOF_DATA", raising=False)
    sums = copies(fresh.folder / "raw" / "mnist")
    fresh.change(overlay(sums, "elsewhere"))
    assert fresh.snakemake(DATA, "--cores", "1").code != 0
    (line,) = (
        (fresh.results / "logs" / "prepare" / "tiny_mnist.log")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    assert line.startswith(
        "solverproof: elsewhere/mnist/train-images-idx3-ubyte.gz: there is no such file"
    )
    assert not (fresh.folder / DATA).exists()
