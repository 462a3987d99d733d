from functools import partial
from inspect import signature
from types import SimpleNamespace

import pytest

from solverproof.study.cells import Study
from solverproof.study.config import load
from solverproof.study.wildcards import of_attempt, of_name, of_seed


@pytest.fixture
def config(study):
    return Study(load(study))


def test_a_function_of_a_cell_is_found_by_its_path(config):
    (cell, *_) = found = config.cells
    function = of_name("cell", {c.path: c for c in found}, lambda cell: [cell.label, cell], tuple)
    assert function(SimpleNamespace(cell=cell.path)) == (cell.label, cell)


def test_a_seed_is_found_in_its_cell(config):
    (cell, *_) = found = config.cells
    function = of_seed({c.path: c for c in found}, lambda cell, seed: [cell.label, seed], tuple)
    assert function(SimpleNamespace(cell=cell.path, seed="3")) == (cell.label, 3)


@pytest.mark.parametrize(
    "function_of",
    [
        lambda cells: of_name("cell", cells),
        lambda cells: partial(of_attempt(cells, max), attempt=1),
        lambda cells: of_seed(cells, max),
    ],
)
def test_a_path_that_is_no_cell_ends_the_program_with_cells_that_are_near(config, function_of):
    function = function_of({cell.path: cell for cell in config.cells})
    with pytest.raises(SystemExit) as caught:
        function(SimpleNamespace(cell="digits/euler/steps-1/seeds-0-1"))
    message = "solverproof: digits/euler/steps-1/seeds-0-1 is no cell of this study; write for "
    assert str(caught.value).startswith(f"{message}example digits/euler/steps-1/seeds-0-4 or ")
    assert "\n" not in str(caught.value)


def test_a_seed_that_a_cell_lacks_ends_the_program_with_seeds_that_it_has(config):
    (cell, *_) = config.cells
    with pytest.raises(SystemExit, match=f"^solverproof: 7 is no seed of {cell.path}; write for "):
        of_seed({cell.path: cell}, max)(SimpleNamespace(cell=cell.path, seed="7"))


def test_a_need_grows_with_the_attempt(config):
    (cell, *_) = found = config.cells
    function = of_attempt({c.path: c for c in found}, lambda _, attempt: 100 * attempt)
    assert function(SimpleNamespace(cell=cell.path), attempt=3) == 300


def test_snakemake_sees_what_to_pass():
    assert list(signature(of_name("cell", {}, len)).parameters) == ["wildcards"]
    assert list(signature(of_attempt({}, max)).parameters) == ["wildcards", "attempt"]
