import numpy as np
import pandas as pd
import pytest

from solverproof.__main__ import main
from solverproof.cells import canonical
from solverproof.datasets import make
from solverproof.errors import InputError
from solverproof.files import read_arrays, sha256_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)


def spec_of(path, **options):
    given = {"family": "file", "path": str(path), "sha256": sha256_of(path), "classes": 2, "test": 0.25, "seed": 0}
    return {**given, **options}


def npz(folder, **arrays):
    np.savez(folder / "mine.npz", **arrays)
    return spec_of(folder / "mine.npz")


def table(**columns):
    return pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "kind": np.where(Y, "up", "down"), **columns})


def csv(folder, frame, **options):
    frame.to_csv(folder / "mine.csv", index=False)
    return spec_of(folder / "mine.csv", **{"label": "kind", **options})


def refusal(spec):
    with pytest.raises(InputError) as caught:
        make(spec)
    assert str(caught.value).startswith(f"{spec['path']}: ")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("samples", "shape"),
    [((40, 3), (1, 3)), ((40, 5, 4), (1, 5, 4)), ((40, 3, 5, 4), (3, 5, 4))],
    ids=["flat", "images", "images with channels"],
)
def test_samples_get_a_channel_where_they_have_none(tmp_path, samples, shape):
    x = RNG.normal(size=samples)
    data = make(npz(tmp_path, x=x, y=Y))
    assert data["train_x"].shape == (30, *shape)
    assert data["test_x"].shape == (10, *shape)
    assert data["train_x"].dtype == np.float32
    stored = {row.astype(np.float32).tobytes() for row in x}
    assert all(row.tobytes() in stored for row in np.concatenate([data["train_x"], data["test_x"]]))


def test_a_draw_keeps_the_shares_of_the_classes_and_follows_the_seed(tmp_path):
    spec = npz(tmp_path, x=X, y=Y)
    data, again, other = make(spec), make(spec), make({**spec, "seed": 1})
    assert abs(data["test_y"].mean() - Y.mean()) < 0.06
    assert np.array_equal(data["test_x"], again["test_x"])
    assert not np.array_equal(data["test_x"], other["test_x"])


def test_a_file_that_is_split_already_is_taken_as_it_is(tmp_path):
    data = make(npz(tmp_path, train_x=X[:30], train_y=Y[:30], test_x=X[30:], test_y=Y[30:]))
    np.testing.assert_array_equal(data["train_x"][:, 0], X[:30].astype(np.float32))
    np.testing.assert_array_equal(data["test_y"], Y[30:])


def test_labels_of_a_table_may_be_words_and_are_numbered_in_sorted_order(tmp_path):
    spec = csv(tmp_path, table(part=["train"] * 30 + ["test"] * 10), split="part")
    data = make(spec)
    np.testing.assert_array_equal(data["train_y"], Y[:30])  # down before up
    np.testing.assert_allclose(data["test_x"][:, 0], X[30:, :2], rtol=1e-6)


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"x": X, "q": Y}, "it has the arrays ['q', 'x']; save x and y, or train_x"),
        ({"x": np.array([{}] * 40), "y": Y}, "cannot be read as .npz without pickles"),
        ({"x": X, "y": Y[:30]}, "there are 40 samples and 30 labels"),
        ({"x": X, "y": np.zeros(40)}, "all training samples have the label 0.0; write two classes at least"),
        ({"x": X, "y": np.arange(40) % 3}, "there are 3 classes in the training part; write classes: 3"),
        ({"x": X[:, 0], "y": Y}, "do not go together; write (n, …) and (n,)"),
        ({"x": X.astype(str), "y": Y}, "features are of type"),
        ({"x": np.where(X > 2, np.nan, X), "y": Y}, "has NaN or infinity"),
        ({"x": np.vstack([X, X]), "y": np.append(Y, Y)}, "is also a training sample"),
        ({"x": X[:3], "y": np.array([0, 0, 1])}, "too few samples to draw"),
        ({"train_x": X[:20], "train_y": Y[:20], "test_x": X[20:, :2], "test_y": Y[20:]}, "write one shape"),
        ({"train_x": X[:20], "train_y": Y[:20], "test_x": X[20:], "test_y": Y[20:] + 1}, "is in the test part alone"),
        ({"train_x": X[:20], "train_y": Y[:20], "test_x": X[19:], "test_y": Y[19:]}, "is also a training sample"),
    ],
)
def test_a_bad_archive_is_refused_in_one_line(tmp_path, arrays, complaint):
    assert complaint in refusal(npz(tmp_path, **arrays))


@pytest.mark.parametrize(
    ("frame", "options", "complaint"),
    [
        (table(), {"label": "sort"}, "there is no column 'sort'; write label: with one of a, b, kind"),
        (table(), {"split": "part"}, "there is no column 'part'; write split:"),
        (table(note="x"), {}, "column 'note' is not numeric"),
        (table(kind=[None, *["up", "down"] * 19, "up"]), {}, "row 2 has no label"),
        (table(c=[np.nan] * 40), {}, "has NaN or infinity"),
        (table(part="both"), {"split": "part"}, "other entries than train and test"),
    ],
)
def test_a_bad_table_is_refused_in_one_line(tmp_path, frame, options, complaint):
    assert complaint in refusal(csv(tmp_path, frame, **options))


def test_a_file_that_is_neither_is_refused(tmp_path):
    for name, complaint in (("mine.npz", "it is not an .npz archive"), ("mine.csv", "cannot be read as CSV")):
        (tmp_path / name).write_bytes(b"" if name.endswith("csv") else b"hello")
        assert complaint in refusal(spec_of(tmp_path / name, label="kind"))


def test_a_file_that_has_changed_since_is_refused(tmp_path):
    spec = npz(tmp_path, x=X, y=Y)
    np.savez(tmp_path / "mine.npz", x=X + 1, y=Y)
    assert f"not {spec['sha256']}" in refusal(spec)


def test_the_command_line_writes_the_data_set_or_one_line(tmp_path, capsys):
    spec, out = csv(tmp_path, table()), tmp_path / "data.safetensors"
    assert main(["prepare", "--spec", canonical(spec), "--out", str(out)]) == 0
    assert read_arrays(out)["train_x"].shape == (30, 1, 2)
    assert main(["prepare", "--spec", canonical({**spec, "classes": 3}), "--out", str(out)]) == 2
    assert capsys.readouterr().err == (
        f"solverproof: {spec['path']}: there are 2 classes in the training part; write classes: 2\n"
    )
