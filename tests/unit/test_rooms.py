"""The rooms of the package and which may use which; families added without touching others."""

import ast
import json
import subprocess
import sys
import tomllib
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

import solverproof
from solverproof.datasets.base import DataSet
from solverproof.models.networks.base import Network
from solverproof.study.config import schema
from solverproof.training.controllers.base import Controller
from solverproof.training.specifications import Protocol

PACKAGE = Path(solverproof.__file__).parent
BASE = {"errors", "paths", "files", "checksums", "specifications", "family", "user_code"}
# each uses only itself and what stands before it
LAYERS = [
    BASE,
    {"ode", "datasets"},
    {"models"},
    {"auditing"},
    {"control"},
    {"evaluation"},
    {"training"},
    {"reporting"},
]
PLANS = {"study"}  # uses of every room what is free of torch
ON_TOP = {"api", "benchmarks", "terminal", "__main__"}
KINDS = {"datasets": DataSet, "networks": Network, "controllers": Controller}
FAMILIES = [(group, name) for group, kind in KINDS.items() for name in kind.registry]


def room(module):
    return module.split(".")[0]


def imports(path):
    """Modules of this package that a file imports, those for type checkers alone included."""
    nodes = ast.walk(ast.parse(path.read_bytes()))
    sources = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {s.removeprefix("solverproof.") for s in sources if s.startswith("solverproof.")}


EDGES = sorted(
    {
        (room(".".join(path.relative_to(PACKAGE).with_suffix("").parts)), room(used))
        for path in PACKAGE.rglob("*.py")
        for used in imports(path)
    }
)


def allowed(user):
    """The rooms that a room may use, itself among them."""
    for i, layer in enumerate(LAYERS):
        if user in layer:
            return set().union(*LAYERS[:i], layer & BASE, {user})
    on_top = {*ON_TOP, "__init__"}
    return set().union(*LAYERS, PLANS, on_top if user in on_top else {user})


@pytest.mark.parametrize(("user", "used"), EDGES)
def test_a_room_uses_only_what_stands_before_it(user, used):
    assert used in allowed(user)


def test_every_module_stands_in_a_room():
    modules = [path for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()]
    rooms = {path.stem for path in modules} - {"__init__", "__pycache__"}
    assert rooms == set().union(*LAYERS, PLANS, ON_TOP)


def test_planning_loads_nothing_heavy():
    plan = (
        "import sys; from pathlib import Path; from solverproof.study.config import load, read;"
        "from solverproof.study.cells import Study; from solverproof.study import resources;"
        "from solverproof.study.specifications import *;"
        "from solverproof.terminal import headlines, picture;"
        "study = Study(load(read([Path(sys.argv[1])])));"
        "[(training_code(cell), evaluation_code(cell), resources.group(cell))"
        " for cell in study.cells];"
        "print(sorted({'torch', 'pandas', 'scipy', 'sklearn', 'matplotlib'} & sys.modules.keys()))"
    )
    config = PACKAGE.parents[1] / "config" / "config.yaml"
    run = [sys.executable, "-c", plan, str(config)]
    done = subprocess.run(run, cwd=PACKAGE.parent, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_files_that_modules_read_are_data_of_the_package():
    data = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.yaml")}
    settings = tomllib.loads((PACKAGE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    listed = settings["tool"]["setuptools"]["package-data"]["solverproof"]
    assert data == {path for path in listed if path.endswith(".yaml")}


def test_packages_below_the_top_hold_nothing_but_a_docstring():
    """The hash of a module does not follow the packages that contain it."""
    for path in PACKAGE.glob("*/**/__init__.py"):
        (statement,) = ast.parse(path.read_bytes()).body
        assert isinstance(statement.value.value, str)


@pytest.mark.parametrize("group", KINDS)
def test_every_family_has_a_line_in_its_list_and_a_block_in_the_schema(group):
    assert KINDS[group].registry.keys() == schema()["$defs"][group].keys()


@pytest.mark.parametrize(("group", "name"), FAMILIES)
def test_the_keys_of_a_family_are_those_of_its_block(group, name):
    family = KINDS[group].named(name)
    assert family.family == name
    keys = set(schema()["$defs"][group][name]["properties"]) - {"family"}
    # hashes of code are found when the plan is made, not configured
    assert {field.name for field in fields(family)} - {"code"} == keys


def neutral(properties):
    return {key: node["neutral"] for key, node in properties.items() if "neutral" in node}


PROTOCOL = schema()["properties"]["protocols"]["additionalProperties"]
BLOCKS = [
    *((KINDS[group].named(name), schema()["$defs"][group][name]) for group, name in FAMILIES),
    (Protocol, PROTOCOL),
]


@pytest.mark.parametrize(
    ("kind", "block"), BLOCKS, ids=lambda value: getattr(value, "__name__", "")
)
def test_the_neutral_value_of_a_key_is_the_default_of_its_field_and_no_other_field_has_one(
    kind, block
):
    defaults = {f.name: f.default for f in fields(kind) if f.default is not MISSING}
    given = {key: value for key, value in defaults.items() if value is not None}
    stated = neutral(block["properties"])
    assert {key: value for key, value in stated.items() if value is not None} == given
    assert stated.keys() <= defaults.keys()


@pytest.mark.parametrize(("group", "name"), FAMILIES)
def test_no_other_module_asks_for_a_family_by_its_name(group, name):
    del group
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Compare):
                asked = ast.unparse(node)
                assert not ("family" in asked and json.dumps(name) in asked.replace("'", '"')), path
