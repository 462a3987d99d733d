"""The identity of the code behind a stage, so that a change re-runs what it can affect, and no more."""

import ast
import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]


def code_hash(*modules: str) -> str:
    """Hash of the named modules and of all they import from this package.

    It is taken from the syntax trees without docstrings, so comments, docstrings, formatting and
    file times do not count.

    Args:
        modules: names below `solverproof`, such as "training" or "figures.fan".
    """
    digest = hashlib.sha256()
    for name in sorted(_closure(modules)):
        digest.update(f"{name}:{_code(name)}\n".encode())
    return digest.hexdigest()[:16]


def module_hash(module: str) -> str:
    """Hash of a module that is not of this package, taken as in `code_hash`, without running it.

    A module of a package counts with all of that package.

    Args:
        module: its import path.

    Raises:
        ModuleNotFoundError: if Python does not find it.
    """
    top = module.partition(".")[0]
    spec = find_spec(top)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no module named '{top}'")
    origin = Path(spec.origin)
    files = sorted(origin.parent.rglob("*.py")) if spec.submodule_search_locations else [origin]
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(origin.parent)}:{_syntax(ast.parse(file.read_bytes()))}\n".encode())
    return digest.hexdigest()[:16]


def _closure(modules: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _imports(name)
    return found


def _path(name: str) -> Path:
    path = ROOT.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _imports(name: str) -> list[str]:
    """Modules of this package that a module imports, anywhere in it."""
    tree = ast.parse(_path(name).read_bytes())
    sources = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    return [source.removeprefix("solverproof.") for source in sources if source.startswith("solverproof.")]


@cache
def _code(name: str) -> str:
    """What counts of a module: its syntax tree as text."""
    return _syntax(ast.parse(_path(name).read_bytes()))


def _syntax(node: object) -> str:
    """A syntax tree as text, without positions, docstrings and empty fields.

    Empty fields differ between Python versions; the rest does not.
    """
    if isinstance(node, list):
        return "[" + ",".join(_syntax(item) for item in node if not _is_docstring(item)) + "]"
    if isinstance(node, ast.AST):
        fields = ((name, value) for name, value in ast.iter_fields(node) if value not in (None, []))
        return type(node).__name__ + "(" + ",".join(f"{name}={_syntax(value)}" for name, value in fields) + ")"
    return repr(node)


def _is_docstring(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
