"""Import paths: looked for without running anything, and told in one line."""

import sys

import pytest

from solverproof.__main__ import main
from solverproof.errors import InputError
from solverproof.study.fingerprint import module_hash
from solverproof.user_code import UserCodeError, found, guarded, missing

SOURCE = """
import json as js
from math import pi as half

raise SystemExit("planning must not run this")


class Mine:
    inside = 1


def make():
    local = 2


named = Mine
first, (second, *rest) = 1, (2, 3)
if named:
    conditional = 3
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    (tmp_path / "my_code.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "__init__.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "my_package" / "inner.py").write_text("class Deep: ...", encoding="utf-8")
    (tmp_path / "broken.py").write_text("def half(:\n", encoding="utf-8")
    (tmp_path / "fails.py").write_text("import json\n1 / 0\n", encoding="utf-8")
    (tmp_path / "starred.py").write_text("from my_code import *\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("my_code", "my_package", "broken", "fails", "starred"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    "path",
    [
        *(f"my_code:{name}" for name in ("Mine", "make", "named", "js", "half")),
        *(f"my_code:{name}" for name in ("first", "second", "rest", "conditional")),
        "my_package.inner:Deep",
        "my_package:Mine",
        "starred:anything",
    ],
)
def test_a_name_that_a_module_binds_is_there_and_nothing_is_run(path):
    assert missing(path) is None


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("my_code:Mina", "no 'Mina' in my_code; did you mean 'Mine'?"),
        ("my_code:inside", "no 'inside' in my_code; did you mean 'Mine'?"),
        ("my_code:local", "no 'local' in my_code; write a name that my_code.py has"),
        ("nowhere:Mine", "no module named 'nowhere'; write one that Python finds from here"),
        (
            "my_package.outer:Deep",
            "no module named 'my_package.outer'; write one that Python finds from here",
        ),
        ("broken:half", "broken.py, line 1: invalid syntax"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(path, message):
    assert missing(path) == message


def test_a_module_that_fails_while_it_is_imported_is_told_with_its_exception():
    with pytest.raises(UserCodeError, match=r"^fails:x: ZeroDivisionError: division by zero$"):
        found("fails:x")


def test_an_error_that_is_meant_for_the_user_passes_a_guard_as_it_is():
    with pytest.raises(InputError, match=r"^as it is$"), guarded("my_code:Mine"):
        raise InputError("as it is")


def test_the_traceback_of_the_users_code_goes_to_the_log_and_one_line_ends_it(
    module, monkeypatch, capsys
):
    (module / "failing_data.py").write_text(
        "def rings():\n    return undefined\n", encoding="utf-8"
    )
    monkeypatch.chdir(module)
    spec = '{"family": "module", "path": "failing_data:rings", "options": {}, "classes": 2}'
    assert main(["prepare", "--spec", spec, "--out", "data.safetensors"]) == 2
    *traceback, last = capsys.readouterr().err.splitlines()
    assert last == "solverproof: failing_data:rings: NameError: name 'undefined' is not defined"
    assert any("failing_data.py" in line and "line 2" in line for line in traceback)
    assert not any("solverproof/" in line for line in traceback)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a = 1\x00", "other.py: source code string cannot contain null bytes"),
        (b"a = (\n", "line 1: '(' was never closed"),
        (b"a = " + b"-" * 100_000 + b"1", "Python does not read it"),
        (b"a = b" + b".c" * 900, "an expression has too many levels; split it"),
    ],
    ids=["null", "bracket", "minus", "levels"],
)
def test_code_that_cannot_be_hashed_is_told_with_its_file(module, content, message):
    (module / "my_package" / "other.py").write_bytes(content)
    with pytest.raises(InputError) as caught:
        module_hash("my_package")
    told = str(caught.value)
    assert told.startswith("other.py")
    assert message in told


def test_an_installed_package_may_have_files_that_are_no_python(module, monkeypatch):
    folder = module / "site-packages"
    for name, content in {
        "first_package": "{name}(:",
        "same_package": "{name}(:",
        "other_package": "{name}[:",
    }.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("def loss(): ...", encoding="utf-8")
        (folder / name / "template.py").write_text(content, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    assert missing("first_package:loss") is None
    assert (
        module_hash("first_package") == module_hash("same_package") != module_hash("other_package")
    )


def test_an_import_path_of_another_form_is_told():
    for path in ("", ":", ".:x", "my_code", "my_code:", ":Mine", "my code:Mine"):
        with pytest.raises(InputError, match="is no import path; write module:name"):
            found(path)
