"""What `import solverproof` offers, and that it costs nothing until it is used."""

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import solverproof
from solverproof.__main__ import main

PACKAGE = Path(solverproof.__file__).parent
LAZY = {name: module for module, names in solverproof._MODULES.items() for name in names}  # noqa: SLF001


def test_the_import_loads_nothing_heavy():
    look = "import solverproof, sys; print({'torch', 'numpy', 'pandas', 'scipy'} & {*sys.modules})"
    run = [sys.executable, "-c", look]
    done = subprocess.run(run, cwd=PACKAGE.parent, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("set()\n", "")


def test_type_checkers_see_the_names_that_there_are():
    tree = ast.parse((PACKAGE / "__init__.py").read_bytes())
    (typed,) = [node for node in tree.body if "if TYPE_CHECKING:" in ast.unparse(node)]
    seen = {alias.name: node.module for node in typed.body for alias in node.names}
    assert seen == {name: f"solverproof.{module}" for name, module in LAZY.items()}
    assert LAZY.keys() == set(solverproof.__all__)


@pytest.mark.parametrize("name", solverproof.__all__)
def test_a_public_name_is_that_of_its_module_and_explained(name):
    found = getattr(solverproof, name)
    assert found is getattr(import_module(f"solverproof.{LAZY[name]}"), name)
    assert name in dir(solverproof)
    assert isinstance(found, dict | type(solverproof.SOLVERS)) or len(inspect.getdoc(found)) > 40


def test_a_name_that_is_not_public_is_refused():
    with pytest.raises(AttributeError, match="'solverproof' has no attribute 'solv'"):
        solverproof.solv  # noqa: B018


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"solverproof {solverproof.__version__}\n"
