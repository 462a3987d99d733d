"""The identity of the code behind a stage, so that a change re-runs only what it can affect."""

import ast
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from solverproof.errors import InputError
from solverproof.files import sha256_of
from solverproof.user_code import parsed

ROOT = Path(__file__).parents[1]
# Modules that change no result by themselves. Messages are for readers. Lists of families only say
# where each is; a stage counts those that its specification names. Classes of specifications only
# carry values that stand as JSON beside this hash: adding a key with a neutral value must re-run
# nothing.
LEFT_OUT = ("errors", "families", "specifications")
INSTALLED = {"site-packages", "dist-packages"}  # folders of installed packages


@cache
def code_hash(*modules: str) -> str:
    """Hash of the named modules and of all they import from this package.

    It is taken from the syntax trees without what changes no result: comments, docstrings and
    formatting, annotations of functions (those of classes count, because dataclasses are made from
    them), and imports for type checkers only. Packages that contain a module are not followed, so
    their `__init__` files hold nothing but a docstring; the one at the top, which says what is
    public, computes nothing.

    Args:
        modules: names below `solverproof`, such as "training.loop".
    """
    # Sorted, because the order of a set of names differs between processes.
    digest = hashlib.sha256()
    for name, code in sorted(_closure(modules).items()):
        digest.update(f"{name}:{code}\n".encode())
    return digest.hexdigest()[:16]


def files_hash(folders: Sequence[str], *suffixes: str) -> str:
    """Hash of the files of this package that are not Python's, as `code_hash` does not see them.

    Args:
        folders: below `solverproof`, such as "reporting/html".
        suffixes: of the files, without the dot.
    """
    digest = hashlib.sha256()
    for path in (p for folder in folders for p in sorted((ROOT / folder).iterdir())):
        if path.suffix[1:] in suffixes:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def module_hash(module: str) -> str:
    """Hash of a module outside of this package, taken as in `code_hash`, without running it.

    For a module of a package the whole package is hashed; of an installed one all bytes, because
    it may be as large as PyTorch, with files that are no Python.

    Args:
        module: its import path.

    Raises:
        ModuleNotFoundError: if Python does not find it.
        InputError: if a file of it is no Python, or too deeply nested.
    """
    # Only the top: to find a module inside a package, Python would run the package.
    top = module.partition(".")[0]
    spec = find_spec(top)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no module named '{top}'")
    origin = Path(spec.origin)
    is_package = bool(spec.submodule_search_locations)
    files = sorted(origin.parent.rglob("*.py")) if is_package else [origin]
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(origin.parent)}:{_content(file)}\n".encode())
    return digest.hexdigest()[:16]


def _content(file: Path) -> str:
    if file.suffix != ".py" or INSTALLED.intersection(file.parts):
        return _checksum(file)
    try:
        return _syntax(_Counted().visit(parsed(file)))
    except RecursionError as error:
        raise InputError(f"{file.name}: an expression has too many levels; split it") from error


@cache
def _checksum(file: Path) -> str:
    """The checksum of an extension module or an installed file."""
    # Cached, because planning asks once per cell and an installed package may be large.
    return sha256_of(file)


def _closure(modules: tuple[str, ...]) -> dict[str, str]:
    """The part that counts of modules and of all they import, by name."""
    found: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found and name.rpartition(".")[2] not in LEFT_OUT:
            found[name], imported = _read(_path(name).read_bytes())
            waiting += imported
    return found


def _path(name: str) -> Path:
    path = ROOT.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _read(source: bytes) -> tuple[str, list[str]]:
    """The part of a module that counts, and the modules of this package that it imports."""
    # Cached, because planning hashes the same modules for many stages.
    counted = _Counted()
    code = _syntax(counted.visit(ast.parse(source)))
    # The package imports its own modules in one form only, `from solverproof.folder.module import`.
    own = (name for name in counted.imported if name.startswith("solverproof."))
    return code, [name.removeprefix("solverproof.") for name in own]


class _Counted(ast.NodeTransformer):
    """Removes what changes no result: types of functions, and imports for type checkers only.

    Attributes:
        imported: the modules that the rest imports names from.
    """

    def __init__(self) -> None:
        self.imported: list[str] = []
        self.in_function = False

    def visit(self, node: ast.AST) -> Any:
        # Expressions, the larger part of a module, have no types and import nothing.
        return node if isinstance(node, ast.expr) else super().visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | None:
        for_types = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return None if for_types else self.generic_visit(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        if node.module in {"__future__", "typing"}:
            return None
        self.imported.append(node.module or "")
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._visit_inside(node, in_function=False)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self._visit_inside(node, in_function=True)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(node.arg)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        # In a class these are the fields of a dataclass, whose types say how JSON is read.
        if not self.in_function:
            return node
        return ast.Assign([node.target], node.value) if node.value else None

    def _visit_inside(self, node: ast.AST, *, in_function: bool) -> ast.AST:
        outside, self.in_function = self.in_function, in_function
        self.generic_visit(node)
        self.in_function = outside
        return node


def _syntax(node: object) -> str:
    """A syntax tree as text, without positions, docstrings and empty fields.

    Empty fields differ between Python versions; the rest does not.
    """
    if isinstance(node, list):
        return "[" + ",".join(_syntax(item) for item in node if not _is_docstring(item)) + "]"
    if isinstance(node, ast.AST):
        fields = ((name, getattr(node, name, None)) for name in node._fields)
        named = [f"{name}={_syntax(value)}" for name, value in fields if value not in (None, [])]
        return f"{type(node).__name__}({','.join(named)})"
    return repr(node)


def _is_docstring(node: object) -> bool:
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        return False
    return isinstance(node.value.value, str)
