"""Where other programs break before the study does; `make portability` runs it in many more."""

import pytest

pytestmark = pytest.mark.workflow

NOTHING = ("--cores", "1", "nothing")  # which no rule makes, as the run says after it started
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
NAMELESS = """
import pwd

def unknown(number):
    raise KeyError(number)

pwd.getpwuid = unknown
"""


def test_a_folder_with_letters_that_the_locale_lacks_is_logged(clone, tmp_path, monkeypatch):
    study = clone.copy_to(tmp_path / "Ü – 数")
    for name, value in ASCII.items():
        monkeypatch.setenv(name, value)
    told = study.snakemake(*NOTHING).text
    assert "MissingRuleException" in told
    assert "Traceback" not in told


def test_a_user_whom_the_machine_does_not_know_may_run_it(clone, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(NAMELESS, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    told = clone.copy_to(tmp_path / "study").snakemake(*NOTHING).text
    assert "MissingRuleException" in told
    assert "Traceback" not in told
