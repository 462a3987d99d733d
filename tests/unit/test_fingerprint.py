import ast
import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from solverproof import fingerprint
from solverproof.fingerprint import _code, _imports, code_hash

PACKAGE = Path(fingerprint.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if path.parent != PACKAGE or path.stem != "__init__"
)


def forget():
    """What has been read of the package's files."""
    _code.cache_clear()
    _imports.cache_clear()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package that code_hash reads in place of the original."""
    copy = tmp_path / "solverproof"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(fingerprint, "ROOT", copy)
    forget()
    yield copy
    forget()


def path_of(package, module):
    path = package.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def edit(package, module, change):
    path = path_of(package, module)
    before = path.read_text(encoding="utf-8")
    after = change(before)
    assert after != before
    path.write_text(after, encoding="utf-8")
    forget()


def reformatted(source):
    return ast.unparse(ast.parse(source)) + "\n\n\n# the end\n"


def with_other_docstrings(source):
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None:
            node.body[0].value.value = "Something else."
    return ast.unparse(tree)


def with_other_code(source):
    return source + "\nCHANGED = 1\n"


def test_a_hash_is_short_hexadecimal_and_the_same_every_time():
    assert len(code_hash("training")) == 16
    assert int(code_hash("training"), 16) >= 0
    assert code_hash("training") == code_hash("training")


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("change", [reformatted, with_other_docstrings])
def test_comments_docstrings_and_formatting_do_not_count(module, change, package):
    before = code_hash(module)
    edit(package, module, change)
    assert code_hash(module) == before


@pytest.mark.parametrize("module", MODULES)
def test_a_change_in_the_code_counts(module, package):
    before = code_hash(module)
    edit(package, module, with_other_code)
    assert code_hash(module) != before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/ steps", "* steps"),
        ("self.evaluations += 1", "self.evaluations += 2"),
        ("= self.rejected = 0", "= self.rejected = None"),
        ("states[-1]", "states[0]"),
        ("@dataclass(frozen=True)", "@dataclass(frozen=False)"),
        ("def solve(", "def resolve("),
        ("torch.float64", "torch.float32"),
    ],
)
def test_the_smallest_change_in_the_code_counts(old, new, package):
    before = code_hash("integration")
    edit(package, "integration", lambda source: source.replace(old, new, 1))
    assert code_hash("integration") != before


@pytest.mark.parametrize(
    ("edited", "stages"),
    [
        ("integration", {"training", "evaluation", "tracing", "adaptation"}),
        ("networks", {"training", "evaluation", "tracing", "adaptation"}),
        ("training", {"training", "evaluation", "adaptation"}),
        ("evaluation", {"evaluation", "adaptation"}),
        ("tracing", {"tracing"}),
        ("solvers", {"training", "evaluation", "tracing", "tables", "figures.accuracy", "adaptation", "comparison"}),
        ("adaptation", {"adaptation"}),
        ("initial_step", {"adaptation"}),
        ("comparison", {"comparison"}),
        ("validity", {"tables", "comparison"}),
        ("tables", {"tables", "comparison"}),
        ("files", {"tables", "comparison", "figures.accuracy", "figures.fan", "datasets.file"}),
        ("figures.style", {"figures.accuracy", "figures.fan"}),
        ("figures.accuracy", {"figures.accuracy"}),
        ("fan", {"figures.fan"}),
        ("datasets.spheres", {"datasets.spheres", "figures.fan"}),
        ("datasets.digits", {"datasets.digits"}),
        ("datasets.minima", {"datasets.minima"}),
        ("datasets.readers", {"datasets.file"}),
        ("provenance", set()),
        ("config", set()),
    ],
)
def test_an_edit_changes_the_hash_of_the_stages_that_use_it_and_of_no_other(edited, stages, package):
    names = {
        *("training", "adaptation", "evaluation", "tracing", "tables", "comparison", "figures.accuracy", "figures.fan"),
        *("datasets.spheres", "datasets.digits", "datasets.minima", "datasets.file"),
    }
    before = {name: code_hash(name) for name in names}
    edit(package, edited, with_other_code)
    assert {name for name in names if code_hash(name) != before[name]} == stages


def test_the_hash_of_several_modules_covers_each_in_any_order(package):
    before = code_hash("datasets.digits", "validity")
    assert code_hash("validity", "datasets.digits") == before
    for module in ("datasets.digits", "validity"):
        edit(package, module, with_other_code)
        after = code_hash("datasets.digits", "validity")
        assert after != before
        before = after


def test_a_file_that_is_touched_or_moved_with_its_package_keeps_its_hash(package):
    assert code_hash("training") == fresh_hash(PACKAGE)
    path_of(package, "training").touch()
    forget()
    assert code_hash("training") == fresh_hash(PACKAGE)


def fresh_hash(root):
    """The hash of training as another installation of the package would give it."""
    spec = importlib.util.spec_from_file_location("elsewhere", root / "fingerprint.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.code_hash("training")


@pytest.mark.parametrize("module", MODULES)
def test_the_package_imports_its_own_modules_only_in_the_way_the_hash_can_follow(module):
    for node in ast.walk(ast.parse(path_of(PACKAGE, module).read_bytes())):
        if isinstance(node, ast.Import):
            assert not any(alias.name.split(".")[0] == "solverproof" for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            assert node.module != "solverproof"
            if node.module.startswith("solverproof."):
                names = {f"{node.module.removeprefix('solverproof.')}.{alias.name}" for alias in node.names}
                assert names.isdisjoint(MODULES)


def test_the_tests_know_all_modules():
    assert {"training", "figures.style", "datasets", "__main__"} <= set(MODULES)
    assert "solverproof" in sys.modules
