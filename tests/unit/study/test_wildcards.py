from inspect import signature
from types import SimpleNamespace

import pytest

from solverproof.study.cells import Study
from solverproof.study.config import load
from solverproof.study.wildcards import of_attempt, of_cell


@pytest.fixture
def config(study):
    return Study(load(study))


def test_a_function_of_a_cell_is_found_by_its_path(config):
    (cell, *_) = found = config.cells
    function = of_cell({c.path: c for c in found}, lambda cell: [cell.label, cell], tuple)
    assert function(SimpleNamespace(cell=cell.path)) == (cell.label, cell)


@pytest.mark.parametrize("function_of", [of_cell, of_attempt])
def test_a_path_that_is_no_cell_ends_the_program_with_cells_that_are_near(config, function_of):
    cells = {cell.path: cell for cell in config.cells}
    wildcards = SimpleNamespace(cell="digits/euler/steps-1/seeds-0-1")
    arguments = {"attempt": 1} if function_of is of_attempt else {}
    with pytest.raises(SystemExit) as caught:
        function_of(cells, lambda *_: 0)(wildcards, **arguments)
    message = "solverproof: digits/euler/steps-1/seeds-0-1 is no cell of this study; write for "
    assert str(caught.value).startswith(f"{message}example digits/euler/steps-1/seeds-0-4 or ")
    assert "\n" not in str(caught.value)


def test_a_need_grows_with_the_attempt(config):
    (cell, *_) = found = config.cells
    function = of_attempt({c.path: c for c in found}, lambda _, attempt: 100 * attempt)
    assert function(SimpleNamespace(cell=cell.path), attempt=3) == 300


def test_snakemake_sees_what_to_pass():
    assert list(signature(of_cell({}, len)).parameters) == ["wildcards"]
    assert list(signature(of_attempt({}, max)).parameters) == ["wildcards", "attempt"]
