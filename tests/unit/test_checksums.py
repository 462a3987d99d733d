"""What was changed between two stages is told by the one that reads it."""

import shutil

import pytest

from solverproof.checksums import FOLDERS, place_of, record, verify
from solverproof.errors import InputError

CELL = "sphere2/euler/steps-2/seeds-0-1"


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "results" / "models" / CELL / "weights.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights of two seeds")
    record([path])
    return path


def test_a_file_is_read_as_it_was_written(weights):
    verify([weights])


@pytest.mark.parametrize(
    "content", [b"weights of two seedS", b"weights of two", b"", b"weights of two seeds "]
)
def test_a_file_that_was_changed_is_told_in_one_line_that_says_what_to_do(weights, content):
    weights.write_bytes(content)
    with pytest.raises(InputError, match="changed or replaced since; delete it, and") as failure:
        verify([weights])
    assert str(failure.value).startswith(str(weights))
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"0" * 64])
def test_a_checksum_that_was_changed_is_told_as_the_file_would_be(weights, content):
    place_of(weights).write_bytes(content)
    with pytest.raises(InputError, match="is not what its job wrote: it was changed"):
        verify([weights])


def test_a_file_in_the_place_of_another_is_told(weights):
    other = weights.parents[2] / "steps-4" / "seeds-0-1" / weights.name
    other.parent.mkdir(parents=True)
    other.write_bytes(b"other weights")
    record([other])
    shutil.copy(weights, other)
    with pytest.raises(InputError, match="steps-4"):
        verify([other])


def test_a_file_that_was_made_anew_is_read(weights):
    weights.write_bytes(b"of another run")
    record([weights])
    verify([weights])


def test_a_study_that_was_moved_is_read(weights, tmp_path):
    moved = tmp_path / "data" / "moved"
    weights.parents[5].rename(tmp_path / "aside")
    moved.parent.mkdir()
    (tmp_path / "aside").rename(moved)
    verify([moved / "models" / CELL / "weights.safetensors"])
    (moved / "models" / CELL / "weights.safetensors").write_bytes(b"changed")
    with pytest.raises(InputError):
        verify([moved / "models" / CELL / "weights.safetensors"])


def test_what_no_stage_wrote_or_an_earlier_version_did_is_read(tmp_path, weights):
    (tmp_path / "my.csv").write_text("1", encoding="utf-8")
    place_of(weights).unlink()
    verify([tmp_path / "my.csv", weights, tmp_path / "results" / "data" / "missing"])


@pytest.mark.parametrize("folder", sorted(FOLDERS))
def test_checksums_are_in_a_folder_of_their_own(tmp_path, folder):
    place = place_of(tmp_path / "results" / folder / "a" / "b.csv")
    assert place == tmp_path / "results" / "checksums" / folder / "a" / "b.csv.sha256"
