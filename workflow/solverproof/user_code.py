"""Code of the user's own, named by import path: `module:name`.

The module is found from the working directory. Planning looks for the name without running any of
it; jobs import it.
"""

import ast
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

from solverproof.errors import InputError, did_you_mean, shown
from solverproof.paths import regular

HERE = Path(__file__).parent
IMPORT_PATH = r"[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*"


class UserCodeError(InputError):
    """The user's own code failed; its exception is the cause, whose traceback goes to the log."""


def module_of(path: str) -> str:
    """The module of an import path."""
    return path.partition(":")[0]


def found(path: str) -> Any:
    """What an import path names.

    Raises:
        InputError: if there is no such module or name.
        UserCodeError: if the module fails while it is imported.
    """
    if not re.fullmatch(IMPORT_PATH, path):
        raise InputError(f"{shown(path)} is no import path; write module:name")
    module, _, name = path.partition(":")
    try:
        with guarded(path):
            return getattr(import_module(module), name)
    except UserCodeError as error:
        if not isinstance(error.__cause__, (ModuleNotFoundError, AttributeError)):
            raise
        raise InputError(
            f"{path}: {error.__cause__}; write module:name of a file in the working directory"
        ) from error


@contextmanager
def guarded(path: str) -> Iterator[None]:
    """A context in which only the user's code runs: whatever it raises is told as its failure."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        # PyTorch ends a recomputation early by an exception that passes through the user's code.
        if type(error).__module__ == "torch.utils.checkpoint":
            raise
        lines = str(error).strip().splitlines() or [""]
        raise UserCodeError(f"{path}: {type(error).__name__}: {lines[0]}") from error


def own_part(error: UserCodeError) -> BaseException | None:
    """The user's exception, without the calls of this package; None if no other was on its way."""
    cause = error.__cause__
    calls = cause.__traceback__ if cause else None
    while calls and Path(calls.tb_frame.f_code.co_filename).is_relative_to(HERE):
        calls = calls.tb_next
    return cause.with_traceback(calls) if cause and calls else None


def needed_arguments(code: Callable[..., Any]) -> int:
    """How many positional arguments a function or method cannot be called without.

    Raises:
        TypeError, ValueError: if it has no signature, as some built-in ones.
    """
    positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    taken = signature(code).parameters.values()
    return sum(p.kind in positional and p.default is Parameter.empty for p in taken)


def missing(path: str) -> str | None:
    """What is wrong with an import path, and the remedy, without running its module; or None.

    Only the top of a path is imported for certain: to find a module inside a package, Python would
    run the package, so its file is looked for beside the package's.
    """
    module, _, name = path.partition(":")
    file = _file(module)
    if file is None:
        return f"no module named '{module}'; write one that Python finds from here"
    if file.suffix != ".py":
        return None  # an extension module, of which nothing is known before it is loaded
    try:
        names = set(_names(parsed(file)))
    except InputError as error:
        return str(error)
    if name in names or "*" in names:
        return None
    remedy = did_you_mean(name, names) or f"; write a name that {file.name} has"
    return f"no '{name}' in {module}{remedy}"


def parsed(file: Path) -> ast.Module:
    """The syntax tree of a file.

    Raises:
        InputError: if it cannot be read, or is no Python.
    """
    try:
        return ast.parse(regular(file).read_bytes())
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise InputError(f"{file.name}{line}: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:  # a NUL; the parser's stack is full
        raise InputError(f"{file.name}: Python does not read it ({error})") from error


def _file(module: str) -> Path | None:
    top, *inner = module.split(".")
    spec = find_spec(top)
    if spec is None or spec.origin is None:
        return None
    if not inner:
        return Path(spec.origin)
    place = Path(spec.origin).parent.joinpath(*inner)
    candidates = (place.with_suffix(".py"), place / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


def _names(tree: ast.Module) -> Iterator[str]:
    """Names that a module binds anywhere outside of its functions and classes."""
    waiting: list[ast.AST] = [*tree.body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            yield node.name
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        else:
            waiting.extend(ast.iter_child_nodes(node))
