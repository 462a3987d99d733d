from inspect import signature
from types import SimpleNamespace

import pytest

from solverproof.study.cells import cells
from solverproof.study.config import load
from solverproof.study.wildcards import of_attempt, of_cell


@pytest.fixture
def config(study):
    return load(study)


def test_a_function_of_a_cell_is_found_by_its_path(config):
    (cell, *_) = found = cells(config)
    function = of_cell(config, {c.path: c for c in found}, lambda config, cell: [config["results"], cell], tuple)
    assert function(SimpleNamespace(cell=cell.path)) == (config["results"], cell)


def test_a_need_grows_with_the_attempt(config):
    (cell, *_) = found = cells(config)
    function = of_attempt(config, {c.path: c for c in found}, lambda _, __, attempt: 100 * attempt)
    assert function(SimpleNamespace(cell=cell.path), attempt=3) == 300


def test_snakemake_sees_what_to_pass(config):
    assert list(signature(of_cell(config, {}, len)).parameters) == ["wildcards"]
    assert list(signature(of_attempt(config, {}, max)).parameters) == ["wildcards", "attempt"]
