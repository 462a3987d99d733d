"""One case of bad input: a call of the command line in a folder with some files, and what of its
answer is a defect.
"""

import base64
import contextlib
import io
import json
import math
import os
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from solverproof.__main__ import main
from solverproof.datasets import user_file
from solverproof.specifications import canonical
from solverproof.study import resources as needs
from solverproof.study import specifications as specs
from solverproof.study.cells import Study
from solverproof.study.config import load, read
from solverproof.study.workload import training_work

HERE = Path(__file__).parent
SECONDS = 5  # of thinking, at most
MEGABYTES = 1000  # more than before, at most
READABLE = 2000  # bytes of a file that the corpus has as text
LONGEST = 1600  # characters of a message
JUDGING = {"audit": {1, 3}, "compare": {1}}  # exit codes that are a verdict
CELL = r"[^/]+/[^/]+/[^/]+/seeds-\d+-\d+"


@dataclass(frozen=True)
class Case:
    """A call and its folder.

    Attributes:
        arguments: of the command line.
        files: content by name; a text in place of bytes is what else stands there: `fifo`,
            `folder`, or the target of a link.
        prepare: whether data sets are made too, if a configuration is accepted.
    """

    arguments: list[str]
    files: dict[str, bytes | str] = field(default_factory=dict)
    prepare: bool = False

    def to_json(self) -> str:
        """The case as a line of the corpus."""
        files = {name: _readable(content) for name, content in self.files.items()}
        content = {"arguments": self.arguments, "files": files, "prepare": self.prepare}
        return json.dumps(content, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Case":
        """The case that `to_json` wrote."""
        content: Any = json.loads(text)
        files = {
            name: KINDS[kind](value)
            for name, given in content["files"].items()
            for kind, value in given.items()
        }
        return cls(content["arguments"], files, content["prepare"])


KINDS = {
    "text": str.encode,
    "deflated": lambda value: zlib.decompress(base64.b64decode(value)),
    "special": str,
}


def _readable(content: bytes | str) -> dict[str, str]:
    if isinstance(content, str):
        return {"special": content}
    with contextlib.suppress(UnicodeDecodeError):
        if len(content) < READABLE:
            return {"text": content.decode()}
    return {"deflated": base64.b64encode(zlib.compress(content, 9)).decode()}


def defect(case: Case, seconds: float = SECONDS) -> str | None:
    """What is wrong with the answer to a case, which may take some seconds; None if nothing is."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
        os.chdir(folder)
        try:
            for name, content in case.files.items():
                _put(Path(name), content)
            return _defect(case, seconds)
        finally:
            os.chdir(before)


def _put(path: Path, content: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "fifo":
        os.mkfifo(path)
    elif content == "folder":
        path.mkdir()
    else:
        path.symlink_to(content)


def _defect(case: Case, seconds: float) -> str | None:
    user_file._checksum.cache_clear()  # noqa: SLF001 (files change between cases)
    code, wrong = _answer(case.arguments, seconds)
    if wrong or code or case.arguments[:1] != ["check"] or {"-h", "--help"} & {*case.arguments}:
        return wrong
    return _planning(case, seconds)


def _answer(arguments: list[str], seconds: float) -> tuple[int | None, str | None]:
    """The exit code of a call, and what is wrong with it."""
    out, err, code = io.StringIO(), io.StringIO(), None
    started, memory = time.process_time(), _megabytes()
    try:
        with (
            _bounded(seconds),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            patch("sys.stdin", io.TextIOWrapper(io.BytesIO())),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("always")
            warnings.showwarning = _warned  # pytest would keep them
            code = main(arguments)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return None, f"traceback: {_short(error)}"
    if (taken := time.process_time() - started) > seconds:
        return code, f"{taken:.0f} s of thinking"
    if (more := _megabytes() - memory) > MEGABYTES:
        return code, f"{more:.0f} MB of memory"
    allowed = {0, 2} | JUDGING.get(arguments[0] if arguments else "", set())
    if code not in allowed:
        return code, f"exit code {code}"
    if code == 2:
        return code, _wrong_message(err.getvalue(), arguments)
    return code, None


def _warned(message, category, filename, lineno, *_) -> None:
    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno))


def _wrong_message(text: str, arguments: list[str]) -> str | None:
    lines = [line for line in text.splitlines() if not line.startswith("audit: ")]
    # that of the user's own code is meant to be seen
    own = "Traceback" in text and "mine.py" in text
    if len(lines) != 1 and not own:
        return f"{len(lines)} lines: {lines[:3]}"
    if not re.match(r"solverproof: .{3,}", lines[-1]):
        return f"not a message: {lines[-1][:100]!r}"
    if len(lines[-1]) > LONGEST:
        return f"a message of {len(lines[-1])} characters: {lines[-1][:100]!r}"
    named = [word.lstrip("-").replace("-", "_") for word in arguments if word]
    if ": " not in lines[-1][13:] and not any(name in lines[-1] for name in named):
        return f"neither file nor key: {lines[-1]!r}"
    return None


def _planning(case: Case, seconds: float) -> str | None:
    """What planning breaks on although `check` accepts it."""
    try:
        with _bounded(seconds):
            data_sets = _plan([Path(name) for name in case.arguments[1:]])
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return f"accepted, and planning: {_short(error)}"
    if case.prepare:
        for spec in data_sets:
            _, wrong = _answer(["prepare", "--spec", spec, "--out", "made.safetensors"], seconds)
            if wrong:
                return f"prepare: {wrong}"
    return None


def _plan(files: list[Path]) -> list[str]:
    """What the Snakefile makes of configuration files; the specifications of all data sets."""
    study = Study(load(read(files), files))
    canonical(specs.tables_spec(study))
    if study.flow:
        canonical(specs.flow_spec(study))
    for cells in study.adapted.values():
        specs.adaptation_spec(study, cells)
    for task in study.config["select"]["tasks"]:
        specs.accuracy_spec(study, task), specs.collapse_spec(study, task)
        specs.cost_spec(study, task)
    assert len({cell.path for cell in study.cells}) == len(study.cells), "two cells have one path"
    audit_spec = specs.audit_spec(study)
    for cell in study.cells[:50]:
        assert re.fullmatch(CELL, cell.path), f"the path of a cell is {cell.path!r}"
        made = [specs.training_spec(cell), specs.evaluation_spec(cell), audit_spec(cell)]
        for spec in made:
            content = json.loads(canonical(spec))
            assert type(spec).from_json(content) == spec, f"{spec} is not read back"
        specs.training_code(cell), specs.evaluation_code(cell), specs.audit_code(cell)
        training_work(cell), needs.memory_mb(cell), needs.training_minutes(cell), needs.group(cell)
        needs.evaluation_minutes(cell), needs.gpus(cell), needs.training_seconds(cell)
    return sorted({canonical(specs.data_spec(cell.task)) for cell in study.cells})


@contextlib.contextmanager
def _bounded(seconds: float):
    """Twice as many seconds of thinking, and it is stopped; or sooner or later where it waits."""
    if seconds == math.inf:
        yield
        return

    def stop(*_):
        raise TimeoutError(f"more than {2 * seconds} s of thinking")

    before = {number: signal.signal(number, stop) for number in (signal.SIGALRM, signal.SIGPROF)}
    signal.setitimer(signal.ITIMER_REAL, 12 * seconds)
    signal.setitimer(signal.ITIMER_PROF, 2 * seconds)
    try:
        yield
    finally:
        for timer in (signal.ITIMER_REAL, signal.ITIMER_PROF):
            signal.setitimer(timer, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _short(error: BaseException) -> str:
    """An exception, and the last line of ours on its way."""
    ours = [
        f"{Path(call.filename).name}:{call.lineno}"
        for call in traceback.extract_tb(error.__traceback__)
        if "solverproof/" in call.filename
    ]
    return f"{type(error).__name__}: {str(error)[:150]!r} at {ours[-1] if ours else '?'}"


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if str(HERE) not in sys.path:
    sys.path[:0] = ["", str(HERE)]  # the folder of a case, and that of mine.py
