import csv
import io
import math

import numpy as np
import pandas as pd
import pytest
from defined import written_table
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import with_flow

from solverproof.__main__ import main
from solverproof.errors import InputError
from solverproof.evaluation.rows import Evaluation
from solverproof.reporting.specifications import TablesSpec
from solverproof.reporting.tables import tabulate

COLUMNS = [
    "task",
    "train_solver",
    "train_steps",
    "train_tolerance",
    "controller",
    "adapted",
    "seed",
    "test_solver",
    "test_steps",
    "test_tolerance",
    "accuracy",
    "error",
    "loss",
    "nfe",
    "status",
    "reason",
    "control",
    "changed_alone",
    "accuracy_paired",
    "error_paired",
    "disagreement",
    "state_error",
]
TABLES = [
    "critical_steps.csv", "critical_steps.html", "critical_steps.md", "drops.csv",
    "evaluations.csv", "settings.csv", "settings.html", "settings.md",
]  # fmt: skip
WHOLE = {
    "train_steps",
    "test_steps",
    "worst_steps",
    "invalid_steps",
    "valid_steps",
    "seeds_valid_steps_min",
    "seeds_valid_steps_max",
    "seed",
    "seeds",
    "nfe",
}
LONG = 0.1 + 0.2  # a float with 17 digits


def evaluation(steps, seed, test_steps, accuracy, solver="euler", reason=None):
    return {
        "task": "toy",
        "train_solver": solver,
        "train_steps": steps,
        "train_tolerance": None,
        "controller": None,
        "adapted": False,
        "seed": seed,
        "test_solver": solver,
        "test_steps": test_steps,
        "test_tolerance": None,
        "accuracy": math.nan if reason else accuracy,
        "error": math.nan,
        "loss": math.nan if reason else LONG,
        "nfe": test_steps,
        "status": "diverged" if reason else "ok",
        "reason": reason,
    }


def cell(steps, drop, seeds=(0, 1), reason=None, **kind):
    """Evaluations of one cell: at its own setting and at half its step."""
    return [
        row
        for seed in seeds
        for row in (
            evaluation(steps, seed, steps, 0.96875, reason=reason, **kind),
            evaluation(steps, seed, 2 * steps, 0.96875 - drop, reason=reason, **kind),
        )
    ]


def written(folder, *cells, order=1):
    """The folder of the tables made of some cells."""
    paths = [folder / f"cell-{i}.csv" for i in range(len(cells))]
    for path, rows in zip(paths, cells, strict=True):
        written_table(path, Evaluation, rows)
    tabulate(TablesSpec(0.1, 0.1, {}), paths[::order], folder / "tables")
    return folder / "tables"


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def readable(folder, *cells):
    """The row of the Markdown table for the paper's drop, by column."""
    heading, _, *rows = (
        (written(folder, *cells) / "critical_steps.md").read_text(encoding="utf-8").splitlines()
    )
    (row,) = (row for row in rows if "the paper's" in row)
    names, values = (
        [part.strip() for part in line.strip("|").split("|")] for line in (heading, row)
    )
    return dict(zip(names, values, strict=True))


def test_the_four_tables_are_written_and_nothing_else(tmp_path):
    assert (
        sorted(path.name for path in written(tmp_path, cell(4, 0.5), cell(8, 0.0)).iterdir())
        == TABLES
    )


def test_evaluations_have_the_columns_of_the_design_and_all_rows_sorted_by_number(tmp_path):
    rows = rows_of(
        written(tmp_path, cell(16, 0), cell(4, 0.5), cell(8, 0), cell(128, 0)) / "evaluations.csv"
    )
    assert list(rows[0]) == COLUMNS
    found = [(int(row["train_steps"]), int(row["seed"]), int(row["test_steps"])) for row in rows]
    assert found == [(n, seed, m) for n in (4, 8, 16, 128) for seed in (0, 1) for m in (n, 2 * n)]


@pytest.mark.parametrize("name", ["None", "null", "NA", "nan"])
def test_a_controller_of_any_name_stays_a_controller(tmp_path, name):
    rows = [row | {"controller": name, "adapted": True} for row in cell(4, 0.5)]
    folder = written(tmp_path, rows, cell(8, 0.0))
    found = rows_of(folder / "drops.csv")
    assert {row["train_steps"]: row["controller"] for row in found} == {"4": name, "8": ""}
    assert rows_of(folder / "critical_steps.csv")[0]["valid_steps"] == "8"


def test_the_order_of_the_cells_changes_no_byte(tmp_path):
    cells = [
        cell(4, 0.5, reason="loss not finite at iteration 3"),
        cell(8, 0.25),
        cell(8, 0.0, seeds=(2, 3)),
        cell(16, 0),
        cell(2, 0, solver="rk4"),
    ]
    forwards, backwards = (
        written(tmp_path / name, *cells, order=order) for name, order in (("one", 1), ("other", -1))
    )
    for name in TABLES:
        assert (forwards / name).read_bytes() == (backwards / name).read_bytes()


def test_whole_numbers_have_no_decimal_point_even_beside_empty_cells(tmp_path):
    folder = written(
        tmp_path, cell(2, 0.9, reason="loss not finite at iteration 3"), cell(4, 0.5), cell(8, 0.0)
    )
    for name in TABLES[:1] + TABLES[2:]:
        for row in rows_of(folder / name):
            whole = {key: row[key] for key in WHOLE.intersection(row) if row[key]}
            assert {key: value for key, value in whole.items() if not value.isdigit()} == {}


@pytest.mark.parametrize("name", ["evaluations.csv", "drops.csv"])
def test_adapted_is_written_in_lower_case(tmp_path, name):
    adapted = [{**row, "adapted": True} for row in cell(8, 0.0)]
    rows = rows_of(written(tmp_path, cell(4, 0.0), adapted) / name)
    assert [row["adapted"] for row in rows] == [
        str(row["train_steps"] == "8").lower() for row in rows
    ]


def test_what_does_not_apply_is_empty(tmp_path):
    rows = rows_of(written(tmp_path, cell(4, 0.0), cell(8, 0, reason="gone")) / "evaluations.csv")
    for row in rows:
        failed = row["train_steps"] == "8"
        assert row["train_tolerance"] == row["test_tolerance"] == ""
        assert (row["accuracy"] == "") == (row["loss"] == "") == failed
        assert (row["status"], row["reason"]) == (("diverged", "gone") if failed else ("ok", ""))


@settings(max_examples=8)
@given(st.lists(st.floats(1e-12, 1e3), min_size=20, max_size=20))
def test_floats_come_through_in_full_precision(tmp_path_factory, losses):
    cells = [
        [{**row, "loss": loss} for row in cell(n, 0.0, seeds=[0])[:1]]
        for n, loss in enumerate(losses, start=1)
    ]
    rows = rows_of(written(tmp_path_factory.mktemp("study"), *cells) / "evaluations.csv")
    assert [float(row["loss"]) for row in rows] == losses


def test_drops_and_critical_steps_are_those_of_the_evaluations(tmp_path):
    folder = written(tmp_path, cell(4, 0.5), cell(8, 0.0625), cell(16, 0.0))
    drops = rows_of(folder / "drops.csv")
    assert [(row["train_steps"], float(row["drop"])) for row in drops[::2]] == [
        ("4", 0.5),
        ("8", 0.0625),
        ("16", 0),
    ]
    critical, by_flow, by_disagreement = rows_of(folder / "critical_steps.csv")
    assert [row["measure"] for row in (critical, by_flow, by_disagreement)] == [
        "drop",
        "drop_reference",
        "disagreement",
    ]
    assert by_flow["unresolved_runs"] == by_disagreement["unresolved_runs"] == "6"
    assert (critical["invalid_steps"], critical["valid_steps"]) == ("4", "8")
    assert float(critical["accuracy_mean"]) == 0.96875


@pytest.mark.parametrize(
    ("drops", "bracket", "seeds", "accuracy"),
    [
        ({4: 0, 8: 0}, "all valid (coarsest: 4 steps)", "valid from 4", "96.9 (96.9 to 96.9)"),
        ({4: 0.5, 8: 0.5}, "no setting valid (finest: 8 steps)", "2 of 2 never valid", "–"),
        ({4: 0.5, 8: 0.0, 16: 0.0}, "4–8 steps", "valid from 8", "96.9 (96.9 to 96.9)"),
    ],
)
def test_the_readable_table_tells_the_bracket_in_words(tmp_path, drops, bracket, seeds, accuracy):
    row = readable(tmp_path, *[cell(n, drop) for n, drop in drops.items()])
    assert (row["task"], row["training solver"]) == ("toy", "euler")
    assert row["critical bracket"] == bracket
    assert row["brackets of single seeds"] == seeds
    assert row["accuracy with its solver there (%, 95 %)"] == accuracy
    assert row["runs failed / untrained / unresolved"] == "0 / 0 / 0"


def test_the_readable_table_tells_how_the_seeds_differ(tmp_path):
    cells = [cell(4, 0.0, seeds=[0]), cell(4, 0.5, seeds=[1, 2, 3]), cell(8, 0.0, seeds=[0, 1, 2])]
    row = readable(
        tmp_path, *cells, cell(8, 0.0, seeds=[3], reason="loss not finite at iteration 3")
    )
    assert row["critical bracket"] == "4–8 steps"
    assert row["brackets of single seeds"] == "valid from 4 to 8; 1 of 4 never valid"
    assert row["runs failed / untrained / unresolved"] == "1 / 0 / 0"


def test_the_readable_table_tells_the_critical_setting_with_its_interval(tmp_path):
    row = readable(tmp_path, cell(4, 0.5), cell(8, 0.0))
    assert row["critical setting (95 %)"] == "6.9 (6.9 to 6.9)"
    row = readable(tmp_path, cell(4, 0.5))
    assert row["critical setting (95 %)"] == "– (open to open)"


def test_a_valid_end_whose_interval_reaches_above_the_threshold_is_not_resolved(tmp_path):
    sure = readable(tmp_path, cell(8, 0.0625))
    assert sure["measure at the valid end (%, 95 %)"] == "6.2 (6.2 to 6.2)"
    unsure = readable(tmp_path, cell(8, 0.0), cell(8, 0.1875, seeds=(2,)))
    assert unsure["measure at the valid end (%, 95 %)"] == "6.2 (-20.6 to 33.1), not resolved"
    alone = readable(tmp_path, cell(8, 0.0, seeds=(0,)))
    assert alone["measure at the valid end (%, 95 %)"] == "0.0, not resolved"


def test_a_single_seed_has_an_accuracy_without_a_spread(tmp_path):
    row = readable(tmp_path, cell(4, 0.5, seeds=[0]), cell(8, 0.0, seeds=[0]))
    assert row["accuracy with its solver there (%, 95 %)"].startswith("96.9")
    assert "nan" not in row["accuracy with its solver there (%, 95 %)"]


def test_a_study_of_failures_alone_has_tables(tmp_path):
    row = readable(
        tmp_path,
        cell(4, 0.0, reason="loss not finite at iteration 3"),
        cell(8, 0.0, reason="the same"),
    )
    assert row["critical bracket"] == "no setting valid (finest: 8 steps)"
    assert row["accuracy with its solver there (%, 95 %)"] == "–"
    assert row["runs failed / untrained / unresolved"] == "4 / 0 / 0"


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
@pytest.mark.parametrize("drops", [{4: 0}, {4: 0.5}, {4: 0.5, 8: 0}, {4: 0, 8: 0.5}])
@pytest.mark.parametrize("failed", [(), (2,), (2, 3)])
def test_the_readable_table_never_shows_a_missing_number(tmp_path, seeds, drops, failed):
    cells = [cell(n, drop, seeds) for n, drop in drops.items()]
    failures = [
        cell(n, 0.0, failed, reason="loss not finite at iteration 3") for n in drops if failed
    ]
    shown = " ".join(readable(tmp_path, *cells, *failures).values()).lower()
    assert not any(word in shown for word in ("nan", "none", "<na>", "inf"))


def test_reading_the_tables_back_gives_numbers(tmp_path):
    folder = written(tmp_path, cell(4, 0.5), cell(8, 0.0, reason="gone"), cell(16, 0.0))
    table = pd.read_csv(folder / "evaluations.csv")
    assert table["adapted"].dtype == np.bool_
    assert all(
        pd.api.types.is_numeric_dtype(table[name])
        for name in ("train_steps", "test_steps", "accuracy", "nfe")
    )


def test_words_may_come_from_standard_input_whatever_characters_paths_have(tmp_path, monkeypatch):
    named = tmp_path / "a \u2028 b.csv"
    written_table(named, Evaluation, cell(4, 0.0))
    words = f"--evaluations\n{named}\n".encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(words)))
    spec = '{"threshold": 0.1, "error_threshold": 0.1, "chance": {}}'
    assert main(["tabulate", "--spec", spec, "--out", str(tmp_path / "tables"), "-"]) == 0
    assert (tmp_path / "tables" / "drops.csv").is_file()


def test_a_file_that_is_missing_is_told_in_one_line(tmp_path, capsys):
    missing = tmp_path / "evaluations.csv"
    arguments = [
        "--spec",
        '{"threshold": 0.1, "error_threshold": 0.1, "chance": {}}',
        "--evaluations",
        str(missing),
        "--out",
        str(tmp_path / "tables"),
    ]
    assert main(["tabulate", *arguments]) == 2
    assert capsys.readouterr().err == (
        f"solverproof: {missing}: there is no such file; name one that is there\n"
    )
    assert not (tmp_path / "tables").exists()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"train_steps": "four"}, r"cell\.csv: the column train_steps has more than numbers"),
        ({"test_solver": "oiler"}, "toy: the solver oiler is not known"),
        ({"test_steps": -1}, "toy: the solver euler is not known, or has no setting"),
        ({"test_steps": 2}, "toy: none with euler with 4 steps"),
    ],
)
def test_a_table_that_is_not_of_evaluations_is_told_in_one_line(tmp_path, changed, told):
    path = tmp_path / "cell.csv"
    written_table(path, Evaluation, cell(4, 0.5))
    pd.read_csv(path).assign(**changed).to_csv(path, index=False)
    with pytest.raises(InputError, match=told):
        tabulate(TablesSpec(0.1, 0.1, {}), [path], tmp_path / "tables")
    assert not (tmp_path / "tables").exists()


def test_a_table_without_a_column_is_told_by_its_name(tmp_path):
    path = tmp_path / "cell.csv"
    pd.DataFrame(cell(4, 0.5)).to_csv(path, index=False)
    with pytest.raises(InputError, match=r"cell\.csv: it has no column control"):
        tabulate(TablesSpec(0.1, 0.1, {}), [path], tmp_path / "tables")


def test_a_run_that_is_given_twice_is_told_in_one_line(tmp_path):
    path = tmp_path / "cell.csv"
    written_table(path, Evaluation, with_flow(cell(4, 0.5, seeds=[0]), 0.9))
    with pytest.raises(InputError, match="evaluations of toy: a run is there twice"):
        tabulate(TablesSpec(0.1, 0.1, {}), [path, path], tmp_path / "tables")
