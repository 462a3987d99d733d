"""The files that say what this is and what it needs agree with each other and with the code."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import solverproof

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "workflow" / "solverproof"
PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]


def requirements(lines):
    return {canonicalize_name(found.name): found for found in map(Requirement, lines)}


LIBRARY = requirements(PROJECT["dependencies"])
STUDY = requirements(PROJECT["optional-dependencies"]["study"])
BUILD = requirements(PYPROJECT["build-system"]["requires"])


def imported():
    """Distributions of the modules of others that the package imports, anywhere in it."""
    modules = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            if isinstance(node, ast.ImportFrom):
                modules.add(node.module.partition(".")[0])
    others = modules - sys.stdlib_module_names - {"solverproof"}
    distributions = packages_distributions()
    return {canonicalize_name(distributions[module][0]) for module in others}


def test_all_that_the_package_imports_comes_with_it_and_nothing_else():
    """But the encoder of films, which the study alone draws and which is large."""
    assert "av" in STUDY
    assert imported() | {"tabulate"} == LIBRARY.keys() | {"av"}


def test_tables_in_markdown_need_tabulate():
    """Nothing imports it by name."""
    calls = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    assert ".to_markdown(" in calls


def test_snakemake_comes_with_the_study_alone():
    assert "snakemake" in STUDY
    assert not LIBRARY.keys() & STUDY.keys()


@pytest.mark.parametrize("needed", [*LIBRARY.values(), *STUDY.values()], ids=str)
def test_a_requirement_is_a_range_with_both_ends(needed):
    operators = {part.operator for part in needed.specifier}
    assert operators in ({">=", "<"}, {"~="})


def test_the_exact_versions_of_the_study_are_within_the_ranges():
    lines = (REPOSITORY / "envs" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    exact = requirements(line for line in lines if line and not line.startswith("#"))
    for name, needed in {**LIBRARY, **STUDY, **BUILD}.items():
        (pin,) = exact[name].specifier
        assert pin.operator == "=="
        assert needed.specifier.contains(pin.version), needed


def test_the_licence_is_the_one_that_is_stated():
    text = (REPOSITORY / "LICENSE").read_text(encoding="utf-8")
    (authors,) = PROJECT["authors"]
    assert PROJECT["license"] == "BSD-3-Clause"
    assert text.startswith("BSD 3-Clause License\n")
    holder = authors["name"].replace("The", "the")
    assert re.search(rf"^Copyright \(c\) \d{{4}}, {holder}$", text, re.MULTILINE)


def test_the_citation_is_of_this_version_and_names_the_paper():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == solverproof.__version__
    assert citation["license"] == PROJECT["license"]
    assert citation["authors"] == PROJECT["authors"]
    assert citation["keywords"] == PROJECT["keywords"]
    (paper,) = citation["references"]
    assert [author["family-names"] for author in paper["authors"]] == [
        "Ott", "Katiyar", "Hennig", "Tiemann",
    ]  # fmt: skip
    assert paper["url"] in PROJECT["urls"].values()
    assert paper["url"] in (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_the_workflow_has_what_the_catalogue_of_workflows_asks_for():
    text = (REPOSITORY / ".snakemake-workflow-catalog.yml").read_text(encoding="utf-8")
    assert yaml.safe_load(text)["usage"]["software-stack-deployment"]["report"] is True
    for path in ("workflow/Snakefile", "workflow/rules/common.smk", "config/README.md"):
        assert (REPOSITORY / path).is_file()
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8").lower()
    assert "snakemake" in readme
    assert "workflow" in readme
