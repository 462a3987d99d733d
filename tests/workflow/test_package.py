"""The package, installed from its wheel, used outside of the checkout."""

import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml

import solverproof
from solverproof.ode.shipped import shipped
from solverproof.study.config_reference import reference

pytestmark = pytest.mark.workflow

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")


def run(*command, folder):
    """What a command prints, away from the checkout."""
    path = {"PATH": "/usr/bin:/bin"}  # no PYTHONPATH
    return subprocess.run(
        [*map(str, command)], cwd=folder, env=path, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="session")
def wheel(clone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = clone.copy_to(folder / "source").folder  # the build leaves files there
    build = ("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source)
    subprocess.run([*PIP, *map(str, build)], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """The folder of the commands of a fresh environment with nothing of ours but the wheel."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    install = ("--python", python, "install", "--no-deps", "--no-index", wheel)
    subprocess.run([*PIP, *map(str, install)], check=True)
    # The packages of others are those of the tests; .pth files there, and so ours, are not read.
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "others.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return folder / "bin"


def test_the_wheel_holds_the_package_and_nothing_else(clone, wheel):
    code = clone.folder / "workflow"
    package = {
        str(file.relative_to(code))
        for file in (code / "solverproof").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    about = f"solverproof-{solverproof.__version__}.dist-info/"
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
        tops = archive.read(f"{about}top_level.txt").decode().split()
    assert tops == ["solverproof"]
    assert {name for name in names if not name.startswith(about)} == package
    assert {"solverproof/py.typed", "solverproof/study/config.schema.yaml"} <= package
    assert f"{about}licenses/LICENSE" in names


def test_the_example_for_users_of_the_library_runs_as_it_says(clone, installed, tmp_path):
    readme = (clone.folder / "README.md").read_text(encoding="utf-8")
    *_, example = re.findall(r"^```python\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    where = "import solverproof; print(solverproof.__file__)"
    done = run(installed / "python", "-c", f"{example}\n{where}", folder=tmp_path)
    assert done.stderr == ""
    printed, file = done.stdout.splitlines()
    assert printed == "tensor([0.3436, 0.3436, 0.3436]) 8"
    assert Path(file).is_relative_to(installed.parent)


@pytest.mark.parametrize("by", ["solverproof", "python -m solverproof"])
def test_the_command_is_called_in_two_ways_and_says_in_which(by, installed, tmp_path):
    name, *options = by.split()
    command = (installed / name, *options)
    assert run(*command, "--version", folder=tmp_path).stdout == (
        f"solverproof {solverproof.__version__}\n"
    )
    assert run(*command, "--help", folder=tmp_path).stdout.startswith(f"usage: {by} [-h]")


def test_an_installed_command_prints_solvers_and_keys(installed, tmp_path):
    solvers = run(installed / "solverproof", "solvers", folder=tmp_path)
    assert [line.split()[0] for line in solvers.stdout.splitlines()[1:]] == [
        *solverproof.SOLVERS,
        *shipped(),
    ]
    assert run(installed / "solverproof", "keys", folder=tmp_path).stdout == reference()


@pytest.fixture
def config(clone, tmp_path):
    return Path(shutil.copy(clone.folder / ".test" / "config" / "config.yaml", tmp_path))


def test_an_installed_command_checks_a_configuration(config, installed):
    done = run(installed / "solverproof", "check", config.name, folder=config.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert "4 cells, each a training and an evaluation\n" in done.stdout


def test_an_installed_command_tells_a_mistake_in_one_line(config, installed):
    config.write_text("select: {task: [rings]}\n", encoding="utf-8")
    done = run(installed / "solverproof", "check", config.name, folder=config.parent)
    assert done.returncode == 2
    assert done.stderr.startswith("solverproof: config.yaml: select.task: unknown key")
    assert done.stderr.count("\n") == 1


def test_an_installed_command_finds_the_users_network_in_the_working_directory(config, installed):
    (config.parent / "my_fields.py").write_text("class Mine: ...\n", encoding="utf-8")
    study = yaml.safe_load(config.read_text(encoding="utf-8"))
    study["networks"]["small"] = {"family": "module", "path": "my_fields:Mine"}
    config.write_text(yaml.safe_dump(study), encoding="utf-8")
    done = run(installed / "solverproof", "check", config.name, folder=config.parent)
    assert (done.returncode, done.stderr) == (0, "")
