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


def test_a_need_grows_with_the_attempt(config):
    (cell, *_) = found = config.cells
    function = of_attempt({c.path: c for c in found}, lambda _, attempt: 100 * attempt)
    assert function(SimpleNamespace(cell=cell.path), attempt=3) == 300


def test_snakemake_sees_what_to_pass():
    assert list(signature(of_cell({}, len)).parameters) == ["wildcards"]
    assert list(signature(of_attempt({}, max)).parameters) == ["wildcards", "attempt"]
