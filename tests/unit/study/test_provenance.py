import re
import subprocess
from pathlib import Path

import pytest

from solverproof.files import write_json
from solverproof.study import provenance as module
from solverproof.study.provenance import provenance, upgrades, versions


@pytest.fixture
def models(tmp_path):
    """Three trained cells, one of them with an older torch."""
    for n, torch in (("2", "1.0"), ("4", versions()["torch"]), ("8", versions()["torch"])):
        run = {"versions": {**versions(), "torch": torch}}
        write_json(tmp_path / "toy" / "euler" / f"steps-{n}" / "seeds-0-4" / "run.json", run)
    return tmp_path


def test_models_of_another_version_are_counted(models):
    installed = versions()["torch"]
    assert list(upgrades(models)) == [
        f"torch {installed} is installed; 1 of 3 cells were trained with 1.0"
    ]


def test_nothing_is_told_where_all_models_are_of_the_installed_versions_or_there_are_none(
    models, tmp_path
):
    (models / "toy" / "euler" / "steps-2" / "seeds-0-4" / "run.json").unlink()
    assert list(upgrades(models)) == []
    assert list(upgrades(tmp_path / "nothing")) == []


@pytest.mark.parametrize(
    "content", ["", "{", "{}", "[]", '{"versions": 1}', '{"versions": {"x": "1"}}']
)
def test_a_damaged_record_of_a_run_stops_nothing(models, content):
    (models / "toy" / "euler" / "steps-2" / "seeds-0-4" / "run.json").write_text(content)
    assert list(upgrades(models)) == []


def test_a_run_is_told_with_versions_threads_machine_and_commit(monkeypatch):
    found = provenance()
    assert found["versions"] == versions()
    assert set(found["versions"]) == {"python", *module.PACKAGES}
    assert found["threads"] == 1
    assert found["machine"]["cores"] >= 1
    monkeypatch.setenv("PATH", "")
    assert provenance()["commit"] is None  # without git


def test_the_commit_is_that_of_a_repository_which_tracks_the_code_and_of_no_other(
    tmp_path, monkeypatch
):
    copy = tmp_path / "provenance.py"
    copy.write_bytes(Path(module.__file__).read_bytes())
    monkeypatch.setattr(module, "__file__", str(copy))
    git = ["git", "-c", "user.name=N", "-c", "user.email=e"]
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    commit = [*git, "commit", "--quiet", "--allow-empty", "--message=."]
    subprocess.run(commit, cwd=tmp_path, check=True)
    assert provenance()["commit"] is None
    subprocess.run(["git", "add", copy.name], cwd=tmp_path, check=True)
    subprocess.run(commit, cwd=tmp_path, check=True)
    assert re.fullmatch("[0-9a-f]{40}", provenance()["commit"])
