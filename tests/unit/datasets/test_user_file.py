import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from defined import made
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from sklearn.datasets import load_iris

from solverproof.__main__ import main
from solverproof.datasets import readers
from solverproof.datasets.base import DataSet
from solverproof.datasets.readers import SPLIT
from solverproof.errors import InputError
from solverproof.files import read_arrays, sha256_of
from solverproof.specifications import canonical
from solverproof.study.cells import Study
from solverproof.study.config import load
from solverproof.study.specifications import data_spec, evaluation_spec, training_spec

X = np.arange(40.0).reshape(20, 2)
Y = np.repeat([0, 1], 10)
PARTS = {"train_x": X[:10], "train_y": Y[::2], "test_x": X[10:], "test_y": Y[::2]}


def spec_of(path, **options):
    """What a configuration says of a file; it fits the file unless options say otherwise."""
    checksum = {} if "sha256" in options else {"sha256": sha256_of(Path(path))}
    return {
        "family": "file",
        "path": path,
        "classes": 2,
        "test": 0.2,
        "seed": 0,
        "scale": "none",
        **checksum,
        **options,
    }


def file(path, **options):
    return made(spec_of(path, **options))


def npz(folder, **arrays):
    path = folder / "mine.npz"
    np.savez(path, **arrays)
    return str(path)


def csv(folder, text):
    path = folder / "mine.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


def complaint(path, **options):
    with pytest.raises(InputError) as caught:
        file(path, **options)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert message.startswith(f"{path}: ")
    return message


def pairs(data, part):
    """Samples of a part with their labels, in an order of their own."""
    return sorted(
        (x.tobytes(), int(y)) for x, y in zip(data[f"{part}_x"], data[f"{part}_y"], strict=True)
    )


def test_arrays_that_are_split_already_are_taken_as_they_are(tmp_path):
    data = file(npz(tmp_path, **PARTS))
    assert set(data) == set(SPLIT)
    np.testing.assert_array_equal(data["train_x"][:, 0], X[:10])
    np.testing.assert_array_equal(data["test_x"][:, 0], X[10:])
    np.testing.assert_array_equal(data["train_y"], Y[::2])
    np.testing.assert_array_equal(data["test_y"], Y[::2])


def test_samples_are_float32_and_labels_int64_with_a_channel_where_there_was_none(tmp_path):
    for spatial, wanted in (((3,), (1, 3)), ((4, 5), (1, 4, 5)), ((3, 4, 5), (3, 4, 5))):
        x = np.random.default_rng(0).integers(0, 255, (20, *spatial), dtype=np.uint8)
        data = file(npz(tmp_path, x=x, y=Y), test=0.5)
        for part in ("train", "test"):
            assert data[f"{part}_x"].shape == (10, *wanted)
            assert data[f"{part}_x"].dtype == np.float32
            assert data[f"{part}_y"].dtype == np.int64


@given(st.integers(20, 60), st.integers(2, 4), st.sampled_from([0.2, 0.3, 0.5]), st.integers(0, 99))
def test_a_split_keeps_every_sample_with_its_label_once_and_shares_by_class(
    tmp_path_factory, count, k, share, seed
):
    x, y = np.arange(count * 3.0).reshape(count, 3), np.arange(count) % k
    data = file(npz(tmp_path_factory.mktemp("split"), x=x, y=y), classes=k, test=share, seed=seed)
    whole = {"all_x": x.astype(np.float32), "all_y": y}
    assert sorted(pairs(data, "train") + pairs(data, "test")) == pairs(whole, "all")
    assert len(data["test_y"]) == np.ceil(share * count)
    assert np.abs(np.bincount(data["test_y"], minlength=k) - share * np.bincount(y)).max() < 2


def test_the_same_seed_splits_alike_and_another_seed_otherwise(tmp_path):
    path = npz(tmp_path, x=X, y=Y)
    first, again, other = (file(path, test=0.4, seed=seed) for seed in (1, 1, 2))
    assert all(first[name].tobytes() == again[name].tobytes() for name in SPLIT)
    assert pairs(first, "test") != pairs(other, "test")


@pytest.mark.parametrize(
    ("labels", "numbers"),
    [
        ([7, -1, 7, 30], [1, 0, 1, 2]),
        ([2.0, 1.0, 2.0, 1.0], [1, 0, 1, 0]),
        ([True, False, False, True], [1, 0, 0, 1]),
        (["b", "a", "ab", "b"], [2, 0, 1, 2]),
        (["10", "9", "10", "9"], [0, 1, 0, 1]),
    ],
)
def test_labels_are_counted_from_0_in_sorted_order(labels, numbers, tmp_path):
    y = np.array(labels)
    parts = {"train_x": X[:4], "train_y": y, "test_x": X[4:8], "test_y": y}
    data = file(npz(tmp_path, **parts), classes=len(set(labels)))
    assert data["train_y"].tolist() == data["test_y"].tolist() == numbers


def test_a_class_that_is_not_tested_keeps_its_number(tmp_path):
    data = file(
        npz(tmp_path, train_x=X[:4], train_y=[0, 1, 2, 2], test_x=X[4:6], test_y=[2, 2]), classes=3
    )
    assert data["test_y"].tolist() == [2, 2]


CSV = "a,species,b\n1,elm,0.5\n2,ash,1e-1\n-3,elm,7\n4,ash,8\n"


def test_a_table_has_its_labels_in_the_named_column_and_features_in_the_others(tmp_path):
    data = file(csv(tmp_path, CSV), label="species", test=0.5)
    expected = {
        "all_x": np.float32([[[1, 0.5]], [[2, 0.1]], [[-3, 7]], [[4, 8]]]),
        "all_y": [1, 0, 1, 0],
    }
    assert sorted(pairs(data, "train") + pairs(data, "test")) == pairs(expected, "all")


def test_a_column_of_a_table_can_say_what_to_train_and_test_with(tmp_path):
    text = "a,part,kind\n1,train,5\n2,test,6\n3,train,6\n4,test,5\n"
    data = file(csv(tmp_path, text), label="kind", split="part")
    assert data["train_x"].tolist() == [[[1]], [[3]]]
    assert data["test_x"].tolist() == [[[2]], [[4]]]
    assert data["train_y"].tolist() == [0, 1]
    assert data["test_y"].tolist() == [1, 0]


def test_a_word_that_often_means_a_missing_value_may_be_a_label(tmp_path):
    text = "a,country,part\n1,NA,train\n2,None,train\n3,NA,test\n"
    assert file(csv(tmp_path, text), label="country", split="part")["test_y"].tolist() == [0]


finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(arrays_of.arrays(np.float32, (6, 2), elements=finite, unique=True))
def test_a_table_and_arrays_of_the_same_numbers_are_the_same_data_set(tmp_path_factory, x):
    folder = tmp_path_factory.mktemp("both")
    y, part = [0, 1] * 3, ["train"] * 4 + ["test"] * 2
    table = pd.DataFrame(x.astype(float), columns=["a", "b"]).assign(label=y, part=part)
    path = folder / "mine.csv"
    table.to_csv(path, index=False)
    ours = file(str(path), label="label", split="part")
    theirs = file(npz(folder, train_x=x[:4], train_y=y[:4], test_x=x[4:], test_y=y[4:]))
    for name in SPLIT:
        np.testing.assert_array_equal(ours[name], theirs[name])


def test_standard_features_have_zero_mean_and_unit_variance_over_the_training_part_alone(tmp_path):
    x = np.random.default_rng(0).normal([5, -200, 0], [0.1, 30, 1], (40, 3))
    x[:, 2] = 7
    parts = {
        "train_x": x[:30],
        "train_y": np.arange(30) % 2,
        "test_x": 3 * x[30:],
        "test_y": np.arange(10) % 2,
    }
    data = file(npz(tmp_path, **parts), scale="standard")
    mean, deviation = x[:30].mean(0), np.array([*x[:30, :2].std(0), 1])
    for part in ("train", "test"):
        assert data[f"{part}_x"].dtype == np.float32
        np.testing.assert_allclose(
            data[f"{part}_x"][:, 0], (parts[f"{part}_x"] - mean) / deviation, rtol=1e-3, atol=1e-4
        )


def test_standard_images_keep_their_shape(tmp_path):
    x = np.random.default_rng(0).random((20, 3, 4, 5))
    data = file(npz(tmp_path, x=x, y=Y), test=0.5, scale="standard")
    assert data["train_x"].shape == data["test_x"].shape == (10, 3, 4, 5)
    np.testing.assert_allclose(data["train_x"].std(0), 1, rtol=1e-4)


def test_a_file_that_is_gone_or_a_folder_is_told(tmp_path):
    assert "there is no such file; name one" in complaint(str(tmp_path / "mine.npz"), sha256="")
    assert "this is no file; name one" in complaint(str(tmp_path), sha256="")


def test_a_checksum_that_does_not_fit_is_told_with_the_one_found(tmp_path):
    path = npz(tmp_path, **PARTS)
    assert f"its checksum is {sha256_of(Path(path))}, not {'0' * 64}; fix" in complaint(
        path, sha256="0" * 64
    )


def test_another_format_is_told_by_name_and_by_content(tmp_path):
    for name, content, what in (
        ("mine.xlsx", b"x", "neither .npz nor .csv"),
        ("mine.npz", b"a,b\n1,2\n", "not an .npz archive"),
        ("empty.npz", b"", "not an .npz archive"),
        ("mine.csv", b"\x93NUMPY\xff\xfe", "not a table of comma-separated values"),
        ("empty.csv", b"", "not a table of comma-separated values"),
        (
            "ragged.csv",
            b"a,b\n1,2\n3,4,5\n",
            "Expected 2 fields in line 3, saw 3); write UTF-8 with a header line",
        ),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        assert what in complaint(str(path), label="b" if name.endswith("csv") else None)


def test_an_array_that_is_damaged_is_told(tmp_path):
    path = Path(npz(tmp_path, **PARTS))
    content = bytearray(path.read_bytes())
    content[content.index(np.float64(X[9]).tobytes())] ^= 255
    path.write_bytes(content)
    assert "array train_x is damaged; write the file again" in complaint(str(path))


def test_an_archive_of_other_things_is_told(tmp_path):
    path = tmp_path / "mine.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", "text")
        archive.writestr("y", "text")
    assert "array x is missing; an .npz has" in complaint(str(path))


@pytest.mark.parametrize("shape", ["(1000000000, 2)", "(9" + "0" * 30 + ", 2)", "(-1, 2)"])
def test_an_array_that_claims_another_size_than_it_has_is_told_before_memory_is_taken(
    shape, tmp_path
):
    buffer = io.BytesIO()
    np.save(buffer, X)
    claimed = buffer.getvalue()
    end = claimed.index(b"\n")
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header = header.ljust(end - 10) + b"\n"
    path = tmp_path / "mine.npz"
    with zipfile.ZipFile(path, "w") as archive:
        length = len(header).to_bytes(2, "little")
        archive.writestr("x.npy", claimed[:8] + length + header + claimed[end + 1 :])
        archive.writestr("y.npy", buffer.getvalue())
    assert "array x is damaged; write the file again" in complaint(str(path))


def test_an_array_of_more_bytes_than_are_read_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "LARGEST", 100)
    assert "array train_x has 0 GiB; write fewer" in complaint(npz(tmp_path, **PARTS))


def test_an_archive_that_is_encrypted_or_cut_is_told(tmp_path):
    path = Path(npz(tmp_path, **PARTS))
    whole = path.read_bytes()
    flags = bytearray(whole)
    for start in (whole.index(b"PK\x03\x04") + 6, whole.index(b"PK\x01\x02") + 8):
        flags[start] |= 1  # says that the member is encrypted
    path.write_bytes(flags)
    assert "is damaged; write the file again" in complaint(str(path))
    path.write_bytes(whole[: len(whole) // 2] + whole[-60:])
    assert "is damaged; write the file again" in complaint(str(path))


def test_a_pickled_array_is_refused_unread(tmp_path):
    class Bomb:
        def __reduce__(self):
            return pytest.fail, ("unpickled",)

    message = complaint(npz(tmp_path, x=X, y=np.array([Bomb()] * 20)), test=0.5)
    assert "y holds Python objects; save it as an array" in message


@pytest.mark.parametrize(
    ("arrays", "what"),
    [
        ({"x": X}, "array y is missing; an .npz has x and y, or train_x, train_y, test_x, test_y"),
        ({"data": X}, "array x is missing"),
        ({"train_x": X, "train_y": Y, "test_x": X}, "array test_y is missing"),
        ({"x": X.astype(str), "y": Y}, "x has dtype <U"),
        ({"x": X * 1j, "y": Y}, "x has dtype complex128; features are real numbers"),
        ({"x": X[:, 0], "y": Y}, "x has shape (20,); give it a shape (samples, features)"),
        ({"x": X[..., None, None, None], "y": Y}, "x has shape (20, 2, 1, 1, 1)"),
        ({"x": X[:, :0], "y": Y}, "x has shape (20, 0)"),
        ({"x": X[:0], "y": Y[:0]}, "x has shape (0, 2)"),
        ({"x": X, "y": Y[:, None]}, "y has shape (20, 1); give it the shape (samples,)"),
        ({"x": X, "y": Y[:19]}, "x has 20 samples, y 19 labels"),
        (
            {"x": np.where(X == 7, np.nan, X), "y": Y},
            "x[3, 1] is nan, not finite in float32; correct",
        ),
        ({"x": np.where(X == 8, -np.inf, X), "y": Y}, "x[4, 0] is -inf, not finite"),
        ({"x": np.where(X == 8, 1e40, X), "y": Y}, "x[4, 0] is 1e+40, not finite in float32"),
        ({"x": X, "y": np.where(Y == 0, np.nan, Y)}, "y[0] is 'nan', which labels nothing"),
        ({"x": X, "y": np.where(Y == 1, "", "a")}, "y[10] is '', which labels nothing"),
        ({"x": X, "y": Y / 2}, "y[10] is 0.5; labels of classes are whole numbers or text"),
        (
            {"x": X, "y": Y.astype("datetime64[s]")},
            "y has dtype datetime64[s]; labels are whole numbers or text",
        ),
        ({"x": X, "y": Y.astype("S")}, "y has dtype |S"),
        ({"x": X, "y": 0 * Y}, "all labels to train with are '0'; a classifier needs two"),
        (
            {"x": X, "y": np.arange(20) % 3},
            "there are 3 classes in the training part; write classes: 3",
        ),
        (
            {"x": X, "y": np.arange(20)},
            "20 samples of 20 classes, 1 of the smallest, are too few to test with",
        ),
        ({"x": X[:4], "y": [0, 0, 1, 1]}, "4 samples of 2 classes, 2 of the smallest, are too few"),
        ({"x": X[:1], "y": [0]}, "1 samples of 1 classes, 1 of the smallest, are too few"),
        (
            {"x": np.zeros((20, 2)), "y": Y},
            "1 samples are both trained and tested with; remove the duplicates",
        ),
    ],
)
def test_arrays_to_be_split_that_cannot_be_used_are_told(arrays, what, tmp_path):
    assert what in complaint(npz(tmp_path, **arrays), test=0.2)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"test_y": Y[:10] + 4}, "class '4' is tested but not trained; add training samples of it"),
        ({"test_y": np.array(["no"] * 10)}, "class 'no' is tested but not trained"),
        (
            {"test_x": X[10:, :1]},
            "samples to train with have shape (1, 2), to test with (1, 1); make them equal",
        ),
        ({"test_x": X[10:, None]}, "have shape (1, 2), to test with (1, 1, 2)"),
        ({"test_x": X[8:18]}, "2 samples are both trained and tested with"),
        (
            {"train_x": np.full((10, 2), -0.0), "test_x": np.zeros((10, 2))},
            "1 samples are both trained and tested",
        ),
        ({"train_y": Y[:9]}, "train_x has 10 samples, train_y 9 labels"),
        ({"test_y": Y[:9]}, "test_x has 10 samples, test_y 9 labels"),
        ({"test_x": X[:0], "test_y": Y[:0]}, "test_x has shape (0, 2)"),
        ({"train_y": Y[:10]}, "all labels to train with are '0'"),
    ],
)
def test_parts_that_do_not_fit_are_told(changes, what, tmp_path):
    assert what in complaint(npz(tmp_path, **{**PARTS, **changes}))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a,kind\n1,x\n", "label: there is no column 'species'; the columns are a, kind"),
        ("a;species\n1;x\n", "label: there is no column 'species'; the columns are a;species"),
        (
            "a,species,part\n1,x,train\n2,y,Test\n",
            "column 'part' has 'Test' in row 2; write train or test",
        ),
        (
            "a,species,part\n1,x,train\n2,y,\n",
            "column 'part' has 'nan' in row 2; write train or test",
        ),
        (
            "a,species,part\n1,x,train\n2,,test\n",
            "column 'species' has no label in row 2; add it or remove",
        ),
        ("a,species,part\n1,5,train\n2,,test\n", "column 'species' has no label in row 2"),
        (
            "a,b,species,part\n1,1,x,train\n2,tall,y,test\n",
            "column 'b' has 'tall' in row 2, no finite number",
        ),
        (
            "a,species,part\n1,x,train\nNA,y,test\n",
            "column 'a' has 'NA' in row 2, no finite number; correct",
        ),
        ("a,species,part\n1,x,train\n,y,test\n", "column 'a' has 'nan' in row 2, no finite number"),
        (
            "a,species,part\n1,x,train\ninf,y,test\n",
            "column 'a' has 'inf' in row 2, no finite number",
        ),
        (
            ",a,species,part\n0,1,x,train\n1,2,y,test\n",
            "a column has no name in the header line; remove it if",
        ),
        (
            "a,species,part\n0,1,x,train\n1,2,y,test\n",
            "rows have more fields than the header line; write a name",
        ),
        ("a,species,species,part\n1,x,x,train\n", "two columns have the name 'species'; give each"),
        ("species,part\nx,train\ny,test\n", "train_x has shape (1, 0)"),
        ("a,species,part\n", "train_x has shape (0, 1)"),
        ("a,species,part\n1,x,train\n2,y,train\n", "test_x has shape (0, 1)"),
        (
            "a,species,part\n1,0.5,train\n2,1.5,train\n3,1.5,test\n",
            "train_y[0] is 0.5; labels of classes are whole",
        ),
    ],
)
def test_a_table_that_cannot_be_used_is_told(text, what, tmp_path):
    assert what in complaint(csv(tmp_path, text), label="species", split="part")


def test_keys_that_do_not_belong_to_the_file_are_told(tmp_path):
    archive, table = npz(tmp_path, **PARTS), csv(tmp_path, CSV)
    assert "the keys label and split name columns of a .csv; remove them" in complaint(
        archive, label="y"
    )
    assert "the keys label and split name columns of a .csv" in complaint(archive, split="y")
    assert "no column of labels is named; write label: with its name" in complaint(table)
    assert "split: there is no column 'part'" in complaint(table, label="species", split="part")


def test_an_archive_of_unequal_kinds_of_labels_is_told(tmp_path):
    path = npz(tmp_path, **{**PARTS, "train_y": np.array(["a", "b"] * 5)})
    assert "class '0' is tested but not trained" in complaint(path)


def test_the_command_line_tells_a_mistake_in_one_line_and_writes_nothing(tmp_path, capsys):
    spec, out = spec_of(npz(tmp_path, x=X, y=Y), sha256="0" * 64), tmp_path / "data.safetensors"
    assert main(["prepare", "--spec", json.dumps(spec), "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"solverproof: {spec['path']}: its checksum is ")
    assert not out.exists()


@pytest.fixture
def iris(tmp_path):
    """The iris flowers as a table without their one duplicate."""
    bunch = load_iris(as_frame=True)
    table = bunch.data.assign(species=bunch.target_names[bunch.target]).drop_duplicates()
    path = tmp_path / "iris.csv"
    table.to_csv(path, index=False)
    return str(path)


def test_a_small_neural_ode_learns_the_iris_flowers_from_a_file(iris, study, tmp_path):
    data = {"family": "file", "path": iris, "label": "species", "classes": 3, "scale": "standard"}
    study["tasks"]["iris"] = {"data": data, "network": "mlp64", "protocol": "digits"}
    study["select"] = {"tasks": ["iris"], "solvers": ["euler"], "seeds": [0]}
    study["steps"]["iris"] = {"euler": [4]}
    study["protocols"]["digits"] = {"iterations": 300, "batch": 32, "learning_rate": 1.0e-2}
    whole = Study(load(study))
    (cell,) = whole.cells

    def run(verb, spec, **paths):
        options = [
            part for name, path in paths.items() for part in (f"--{name}", str(tmp_path / path))
        ]
        assert main([verb, "--spec", canonical(spec), *options]) == 0

    trained = {"data": "iris.safetensors", "weights": "weights.safetensors", "run": "run.json"}
    run("prepare", data_spec(whole.tasks["iris"]), out="iris.safetensors")
    run("train", training_spec(cell), history="history.csv", checkpoint="checkpoint", **trained)
    flows = {"references": "flows.safetensors"}
    run("evaluate", evaluation_spec(cell), out="rows.csv", **flows, **trained)
    assert read_arrays(tmp_path / "iris.safetensors")["test_x"].shape == (30, 1, 4)
    rows = pd.read_csv(tmp_path / "rows.csv")
    own = rows[(rows["test_solver"] == "euler") & (rows["test_steps"] == 4)]
    assert own["accuracy"].tolist() == pytest.approx([0.95], abs=0.06)


TABLE = "a,b,u,v\n" + "".join(f"{i},{i % 3},{2.5 * i},{-i}\n" for i in range(20))


def without_classes(path, **options):
    definition = spec_of(path, **options)
    definition.pop("classes")
    return definition


def test_columns_of_real_values_are_targets_standardised_over_the_training_part(tmp_path):
    data = made(without_classes(csv(tmp_path, TABLE), targets=["u", "v"], test=0.25))
    assert data["train_x"].shape == (15, 1, 2)
    assert (data["train_y"].shape, data["train_y"].dtype) == ((15, 2), np.float32)
    assert (data["test_y"].shape, data["test_y"].dtype) == ((5, 2), np.float32)
    np.testing.assert_allclose(data["train_y"].mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(data["train_y"].std(0), 1, rtol=1e-6)
    for part in ("train", "test"):
        back = data[f"{part}_y"] * data["target_scale"] + data["target_mean"]
        np.testing.assert_allclose(
            back[:, 0], 2.5 * data[f"{part}_x"][:, 0, 0], rtol=1e-4, atol=1e-4
        )


def test_one_column_of_values_in_an_npz_becomes_one_target(tmp_path):
    path = npz(tmp_path, x=X, y=np.linspace(0, 1, 20))
    assert made(without_classes(path, values=1))["train_y"].shape == (16, 1)


@pytest.mark.parametrize(
    ("arrays", "values", "message"),
    [
        ({"x": X, "y": np.ones((20, 2))}, 3, "y has shape (20, 2); give it the shape (samples, 3)"),
        ({"x": X, "y": Y.astype(str)}, 1, "y has dtype <U21; real-valued targets are numbers"),
        ({"x": X, "y": np.full(20, np.nan)}, 1, "y[0, 0] is nan; correct or remove the sample"),
        ({"x": X, "y": np.ones(20)}, 1, "target 0 is 1 for all training samples; leave it out"),
        ({"x": X, "y": np.ones(3)}, 1, "x has 20 samples, y 3 targets; write one row for each"),
        ({"x": X[:1], "y": np.ones(1)}, 1, "1 samples are too few to test with a share of 0.2"),
    ],
)
def test_values_that_cannot_be_targets_are_told(arrays, values, message, tmp_path):
    path = npz(tmp_path, **arrays)
    with pytest.raises(InputError) as caught:
        made(without_classes(path, values=values))
    assert str(caught.value).startswith(f"{path}: {message}")


@pytest.mark.parametrize(
    ("keys", "place", "message"),
    [
        ({}, (), "say what it has, and once: write classes: 2, or targets: [COLUMN]"),
        ({"classes": 2, "targets": ["u"]}, (), "say what it has, and once"),
        ({"values": 1}, ("values",), "the targets of this kind of file are told by targets"),
    ],
)
def test_a_file_says_once_what_its_targets_are(keys, place, message, tmp_path):
    definition = {**without_classes(csv(tmp_path, TABLE)), **keys}
    problems = list(DataSet.from_json(definition).problems())
    assert problems[0][0] == place
    assert problems[0][1].startswith(message)
