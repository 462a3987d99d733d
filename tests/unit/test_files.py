import csv
import hashlib
import json
import math
import os
from dataclasses import make_dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from safetensors.numpy import load_file

from solverproof.errors import InputError
from solverproof.files import (
    read_arrays,
    read_json,
    sha256_of,
    write_arrays,
    write_json,
    write_table,
    write_text,
)
from solverproof.reporting.figures.style import save

Pair = make_dataclass("Pair", ("a", "b"))
ARRAYS = {
    "weights": np.arange(6, dtype=np.float32).reshape(2, 3),
    "labels": np.array([3, 1, 2]),
    "box": np.array([0.1, -0.2]),
    "regions": np.arange(12, dtype=np.int64).reshape(3, 4),
}


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_under_its_name_alone_in_a_folder_that_need_not_exist(tmp_path):
    write_text(tmp_path / "new" / "folder" / "note.txt", "N = 49, h = 1/49 … ✓\n")
    assert names_in(tmp_path / "new" / "folder") == ["note.txt"]
    assert (
        tmp_path / "new" / "folder" / "note.txt"
    ).read_bytes() == "N = 49, h = 1/49 … ✓\n".encode()


def draw(path):
    figure = Figure()
    save(figure, [path])


WRITERS = {
    "note.txt": lambda path: write_text(path, "new" * 100),
    "run.json": lambda path: write_json(path, list(range(100))),
    "data.safetensors": lambda path: write_arrays(path, ARRAYS),
    "table.csv": lambda path: write_table(path, Pair, [Pair(0.1, 2)] * 100),
    "figure.pdf": draw,
    "figure.png": draw,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_told_in_one_line_and_leaves_the_old_content(name, tmp_path, full_disk):
    path = tmp_path / name
    path.write_text("old")
    with full_disk(100), pytest.raises(InputError) as caught:
        WRITERS[name](path)
    assert (
        str(caught.value)
        == f"{path}: File too large; make room or allow writing there, or choose another folder"
    )
    assert path.read_text() == "old"
    assert names_in(tmp_path) == [name]


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path):
    (tmp_path / "results").write_text("a file")
    path = tmp_path / "results" / "tables" / "drops.csv"
    with pytest.raises(InputError) as caught:
        write_text(path, "new")
    reason = "Not a directory; make room or allow writing there, or choose another folder"
    assert str(caught.value) == f"{path}: {reason}"


@pytest.fixture
def temporaries(monkeypatch):
    """What a reader would meet just before each renaming: the temporary file and old content."""
    met, replace = [], Path.replace

    def replace_and_tell(temporary, path):
        met.append((temporary, temporary.read_text(), path.read_text()))
        return replace(temporary, path)

    monkeypatch.setattr(Path, "replace", replace_and_tell)
    return met


def test_a_reader_meets_the_old_content_until_the_new_is_whole(tmp_path, temporaries):
    path = tmp_path / "table.csv"
    path.write_text("old")
    write_text(path, "new")
    ((temporary, new, old),) = temporaries
    assert (new, old) == ("new", "old")
    assert temporary.parent == path.parent
    assert temporary.suffix == path.suffix
    assert path.read_text() == "new"


def test_two_processes_use_temporary_files_of_their_own(tmp_path, monkeypatch, temporaries):
    (tmp_path / "table.csv").write_text("old")
    for process in (11, 12):
        monkeypatch.setattr(os, "getpid", lambda process=process: process)
        write_text(tmp_path / "table.csv", "content")
    assert len({temporary for temporary, *_ in temporaries}) == 2


def test_json_comes_back_as_it_was_and_its_keys_are_sorted(tmp_path):
    content = {"b": [1, 2.5, None], "a": {"d": "ü", "c": True}}
    write_json(tmp_path / "run.json", content)
    assert read_json(tmp_path / "run.json") == content
    assert list(json.loads((tmp_path / "run.json").read_text(), object_pairs_hook=dict)) == [
        "a",
        "b",
    ]


def test_arrays_come_back_bit_for_bit(tmp_path):
    write_arrays(tmp_path / "data.safetensors", ARRAYS)
    for back in (
        read_arrays(tmp_path / "data.safetensors"),
        load_file(tmp_path / "data.safetensors"),
    ):
        assert back.keys() == ARRAYS.keys()
        for name, array in ARRAYS.items():
            assert back[name].dtype == array.dtype
            np.testing.assert_array_equal(back[name], array)


def test_the_bytes_of_arrays_depend_on_neither_order_nor_memory_layout(tmp_path):
    write_arrays(tmp_path / "one", ARRAYS)
    laid_out_otherwise = {name: np.asfortranarray(ARRAYS[name]) for name in reversed(ARRAYS)}
    write_arrays(tmp_path / "other", laid_out_otherwise)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_a_view_is_written_as_it_looks(tmp_path):
    view = np.arange(12).reshape(3, 4).T[::2]
    write_arrays(tmp_path / "view", {"view": view})
    np.testing.assert_array_equal(read_arrays(tmp_path / "view")["view"], view)


def test_a_table_has_lower_case_booleans_empty_cells_and_escaped_text(tmp_path):
    row = {
        "adapted": False,
        "valid": True,
        "tolerance": None,
        "loss": math.nan,
        "reason": 'a "b", c',
        "n": 8,
    }
    kind = make_dataclass("Row", row)
    write_table(tmp_path / "t.csv", kind, [kind(**row)])
    assert (tmp_path / "t.csv").read_text() == (
        'adapted,valid,tolerance,loss,reason,n\nfalse,true,,,"a ""b"", c",8\n'
    )


@given(
    st.lists(
        st.tuples(
            st.floats(allow_nan=False),
            st.integers(),
            st.text(st.characters(codec="utf-8", exclude_characters="\r")),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_every_value_of_a_table_comes_back_exactly(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "t.csv"
    kind = make_dataclass("Row", ("loss", "steps", "reason"))
    write_table(path, kind, [kind(*row) for row in rows])
    with path.open(encoding="utf-8", newline="") as file:
        back = list(csv.DictReader(file))
    assert [(float(row["loss"]), int(row["steps"]), row["reason"]) for row in back] == rows


def test_a_table_without_rows_has_its_heading(tmp_path):
    write_table(tmp_path / "t.csv", Pair, [])
    assert (tmp_path / "t.csv").read_text(encoding="utf-8") == "a,b\n"


def test_the_checksum_of_a_file_is_that_of_its_content(tmp_path):
    content = b"x" * 100_000
    (tmp_path / "f").write_bytes(content)
    assert sha256_of(tmp_path / "f") == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("read", [read_json, read_arrays, sha256_of])
def test_what_is_no_file_is_told_and_not_waited_for(tmp_path, read):
    os.mkfifo(tmp_path / "fifo")
    for place in ("none", ".", "fifo", "a\x00b", "x" * 300):
        with pytest.raises(InputError, match=r": (there is no such|this is no) file; name one"):
            read(tmp_path / place)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b"9" * 5000])
def test_damaged_files_are_named(tmp_path, content):
    for read, name in ((read_json, "run.json"), (read_arrays, "data.safetensors")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=f"{name}: damaged, or of another kind; delete it"):
            read(tmp_path / name)
