import re

import pytest

from solverproof.evaluation.critical import Critical
from solverproof.files import columns, write_text
from solverproof.reporting.comparison import Comparison
from solverproof.terminal.headlines import headlines

GRID = {"task": "sphere2", "train_solver": "euler", "measure": "drop"}


def write(path, row, *rows):
    """A table of rows, whose other cells are empty; a column that it does not have is an error."""
    names = columns(row)
    assert all(set(given) <= set(names) for given in rows)
    lines = [names, *([str(given.get(name, "")) for name in names] for given in rows)]
    write_text(path, "".join(",".join(line) + "\n" for line in lines))


def accuracy(mean, low="", high=""):
    return {
        f"accuracy_reference_{part}": v
        for part, v in zip(("mean", "low", "high"), (mean, low, high), strict=True)
    }


@pytest.fixture
def found(tmp_path):
    """The lines of the table for given rows of `critical_steps.csv` and `comparison.csv`."""

    def lines(critical=(), compared=()):
        tables = tmp_path / "tables"
        write(tables / "critical_steps.csv", Critical, *critical)
        write(tables / "comparison.csv", Comparison, *compared)
        return headlines(tmp_path, tables.iterdir())[3:]

    return lines


def test_figures_and_tables_that_the_run_was_to_make_are_counted_by_folder(tmp_path):
    made = ["figures/a.pdf", "figures/a.png", "figures/b.pdf", "models/weights.safetensors"]
    told = headlines(tmp_path, [tmp_path / name for name in made])
    assert told == [f"2 figures in {tmp_path}/figures"]


def test_a_run_that_was_to_make_no_tables_tells_no_numbers_of_older_ones(tmp_path):
    write(tmp_path / "tables" / "critical_steps.csv", Critical, {**GRID, **accuracy(0.9)})
    assert len(headlines(tmp_path, [tmp_path / "figures" / "a.pdf"])) == 1


@pytest.mark.parametrize(
    ("ends", "bracket", "at"),
    [
        ({"invalid_steps": 64, "valid_steps": 128}, "64–128 steps", "128 steps"),
        ({"valid_steps": 2}, "all valid (coarsest: 2 steps)", "2 steps"),
        ({"invalid_steps": 4}, "no setting valid (finest: 4 steps)", "–"),
        (
            {"invalid_tolerance": 0.1, "valid_tolerance": 0.01},
            "tolerance 0.1–0.01",
            "tolerance 0.01",
        ),
        ({"valid_tolerance": 0.1}, "all valid (coarsest: tolerance 0.1)", "tolerance 0.1"),
        ({"invalid_tolerance": 0.1}, "no setting valid (finest: tolerance 0.1)", "–"),
    ],
)
def test_the_bracket_of_a_solver_and_the_accuracy_at_its_valid_end_stand_in_one_line(
    found, ends, bracket, at
):
    (line,) = found([{**GRID, **ends, **accuracy(0.967, 0.947, 1.02)}])
    assert re.split(r" {2,}", line) == ["sphere2", "euler", bracket, "96.7 (94.7 to 100.0)", at]


def test_only_the_papers_measure_is_told_and_a_single_seed_without_an_interval(found):
    rows = [{**GRID, "measure": "disagreement", **accuracy(0.1)}, {**GRID, **accuracy(0.15)}]
    (line,) = found(rows)
    assert "  15.0  " in line


def test_controllers_stand_below_the_grid_of_their_solver_with_what_they_cost(found):
    grid = {**GRID, "valid_steps": 2}
    compared = {"task": "sphere2", "train_solver": "euler", **accuracy(0.92, 0.871, 0.969)}
    rows = [
        {**compared, "method": "grid search"},
        {**compared, "method": "random", "nfe_training": 72.61},
    ]
    _, line = found([grid], rows)
    assert re.split(r" {2,}", line) == [
        "sphere2",
        "euler, random",
        "92.0 (87.1 to 96.9)",
        "72.6 evaluations",
    ]


def test_of_real_values_the_error_is_told_and_no_score_is_below_zero(found):
    error = {f"error_reference_{k}": v for k, v in (("mean", 0.5), ("low", -0.2), ("high", 1.2))}
    grid = [
        {**GRID, "valid_steps": 2, **accuracy(0.5, -0.4, 1.4)},
        {**GRID, "task": "waves", **error},
    ]
    of_classes, of_values = found(grid)
    assert "  50.0 (0.0 to 100.0)  " in of_classes
    assert "  error 0.500 (0.000 to 1.200)  " in of_values


def test_a_study_without_controllers_has_no_comparison(tmp_path):
    write(tmp_path / "tables" / "critical_steps.csv", Critical, {**GRID, "valid_steps": 2})
    assert len(headlines(tmp_path, (tmp_path / "tables").iterdir())) == 4


def test_the_page_is_told_where_it_is_made(tmp_path):
    page = tmp_path / "report.html"
    assert headlines(tmp_path, [page]) == [f"all of it on one page: {page}"]
