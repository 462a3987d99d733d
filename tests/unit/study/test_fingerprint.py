import ast
import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from solverproof.study import fingerprint
from solverproof.study.fingerprint import LEFT_OUT, _read, code_hash
from solverproof.study.specifications import ADAPT, AUDIT, EVALUATE, EXPLORE, TRACE, TRAIN

PACKAGE = Path(fingerprint.__file__).parents[1]
ALL = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if path.parent != PACKAGE or path.stem != "__init__"
)

UNCOUNTED = [name for name in ALL if name.rpartition(".")[2] in LEFT_OUT]
REGISTRIES = [name for name in UNCOUNTED if name.endswith(".families")]
MODULES = [name for name in ALL if name not in UNCOUNTED]
TRAINED = {"train", "adapt", "random"}
MODELS = TRAINED | {"evaluate", "audit", "trace", "explore"}
TABLED = {"tables", "audits", "comparison", "page"}
FIGURES = {"accuracy", "criteria", "collapse", "cost", "fan"}

STAGES = {
    "train": [*TRAIN, "models.networks.conv"],
    "adapt": [*ADAPT, "training.controllers.paper_rule"],
    "random": [*ADAPT, "training.controllers.random_steps"],
    "evaluate": [*EVALUATE, "models.networks.conv"],
    "audit": [*AUDIT, "models.networks.conv"],
    "trace": [*TRACE, "models.networks.conv"],
    "explore": [*EXPLORE, "models.networks.conv"],
    "page": ["reporting.study_page.write"],
    "tables": ["reporting.tables"],
    "audits": ["reporting.audits"],
    "comparison": ["reporting.comparison"],
    "accuracy": ["reporting.figures.accuracy"],
    "criteria": ["reporting.figures.criteria"],
    "collapse": ["reporting.figures.collapse"],
    "cost": ["reporting.figures.cost"],
    "fan": ["reporting.figures.fan"],
    "spheres": ["datasets.spheres"],
    "digits": ["datasets.digits"],
    "minima": ["datasets.minima"],
    "file": ["datasets.user_file"],
}


def hashes():
    return {stage: code_hash(*modules) for stage, modules in STAGES.items()}


def forget():
    """The hashes of the package's files as they were."""
    code_hash.cache_clear()


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


def edit_all(package, change):
    """The same change in all modules at once; not all of them have what it changes."""
    for module in MODULES:
        path = path_of(package, module)
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    forget()


def reformatted(source):
    return ast.unparse(ast.parse(source)) + "\n\n\n# the end\n"


def with_other_docstrings(source):
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if (
            isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef))
            and ast.get_docstring(node) is not None
        ):
            node.body[0].value.value = "Something else."
    return ast.unparse(tree)


def with_other_code(source):
    return source + "\nCHANGED = 1\n"


def test_a_hash_is_short_hexadecimal_and_the_same_every_time():
    assert len(code_hash("training.loop")) == 16
    assert int(code_hash("training.loop"), 16) >= 0
    assert code_hash("training.loop") == code_hash("training.loop")


@pytest.mark.parametrize("change", [reformatted, with_other_docstrings])
def test_comments_docstrings_and_formatting_do_not_count(change, package):
    before = {module: code_hash(module) for module in MODULES}
    edit_all(package, change)
    assert {module: code_hash(module) for module in MODULES} == before


def with_other_types(source):
    """Types of functions as Python never looks at them, and imports for them."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = ast.Constant("Anything")
            for argument in (*node.args.args, *node.args.kwonlyargs):
                argument.annotation = ast.Constant("Anything")
    return "if TYPE_CHECKING:\n    from solverproof.study.config import load\n" + ast.unparse(tree)


def test_types_of_functions_do_not_count(package):
    before = {module: code_hash(module) for module in MODULES}
    edit_all(package, with_other_types)
    assert {module: code_hash(module) for module in MODULES} == before


def test_types_of_variables_in_functions_do_not_count(package):
    before = code_hash("ode.integration")
    edit(package, "ode.integration", lambda s: s.replace("guarded: Tensor = ", "guarded = ", 1))
    assert code_hash("ode.integration") == before


def test_types_of_the_fields_of_a_dataclass_count(package):
    before = code_hash("ode.integration")
    edit(package, "ode.integration", lambda s: s.replace("nfe: int\n", "nfe: float\n", 1))
    assert code_hash("ode.integration") != before


@pytest.mark.parametrize("module", UNCOUNTED)
def test_a_change_in_what_only_names_or_carries_changes_no_hash(module, package):
    before = hashes()
    edit(package, module, with_other_code)
    assert hashes() == before


@pytest.mark.parametrize("registry", REGISTRIES)
def test_a_family_that_is_added_to_a_list_changes_no_hash(registry, package):
    before = hashes()
    edit(package, registry, lambda s: s.replace("FAMILIES = {", 'FAMILIES = {"new": "a:B",', 1))
    assert hashes() == before


def test_a_change_in_the_code_of_any_module_counts(package):
    before = {module: counted(package, module) for module in MODULES}
    edit_all(package, with_other_code)
    assert [module for module in MODULES if counted(package, module) == before[module]] == []


def counted(package, module):
    code, _ = _read(path_of(package, module).read_bytes())
    return code


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
    before = code_hash("ode.integration")
    edit(package, "ode.integration", lambda source: source.replace(old, new, 1))
    assert code_hash("ode.integration") != before


@pytest.mark.parametrize(
    ("edited", "stages"),
    [
        ("ode.integration", MODELS),
        ("models.neural_ode", MODELS),
        ("models.layers", MODELS),
        ("models.networks.conv", {"train", "evaluate", "audit", "trace", "explore"}),
        ("models.networks.mlp", set()),
        ("training.loop", TRAINED),
        ("evaluation.cross_solver", {"evaluate", "adapt", "random", "explore"}),
        ("evaluation.tracing", {"trace"}),
        ("evaluation.exploring", {"explore"}),
        ("reporting.study_page.claim", {"page"}),
        ("evaluation.audits", {"audit"}),
        ("auditing.sharpness", {"audit"}),
        ("evaluation.criteria", {"audits"}),
        (
            "ode.solvers",
            MODELS | TABLED | {"accuracy", "cost"},
        ),
        ("training.controllers.paper_rule", {"adapt"}),
        ("training.controllers.random_steps", {"random"}),
        ("training.controllers.probing", {"adapt", "random"}),
        ("ode.initial_step", {"adapt"}),
        ("control.law", {"adapt"}),
        ("control.draws", {"random"}),
        ("reporting.comparison", {"comparison"}),
        ("evaluation.validity", TABLED | {"cost"}),
        ("reporting.tables", TABLED - {"page"}),
        ("reporting.reading", TABLED | FIGURES),
        ("reporting.in_words", TABLED | {"collapse"}),
        ("files", TABLED | FIGURES | {"file"}),
        ("reporting.published", {"comparison", "accuracy", "collapse"}),
        ("reporting.figures.style", FIGURES),
        ("reporting.figures.accuracy", {"accuracy"}),
        ("reporting.figures.lady_windermere", {"fan"}),
        ("datasets.spheres", {"spheres"}),
        ("datasets.digits", {"digits"}),
        ("datasets.minima", {"minima"}),
        ("datasets.readers", {"file"}),
        ("datasets.published", set()),
        ("study.provenance", set()),
        ("study.config", set()),
    ],
)
def test_an_edit_changes_the_hash_of_the_stages_that_use_it_and_of_no_other(
    edited, stages, package
):
    before = hashes()
    edit(package, edited, with_other_code)
    assert {stage for stage, now in hashes().items() if now != before[stage]} == stages


def test_the_hash_of_several_modules_covers_each_in_any_order(package):
    before = code_hash("datasets.digits", "evaluation.validity")
    assert code_hash("evaluation.validity", "datasets.digits") == before
    for module in ("datasets.digits", "evaluation.validity"):
        edit(package, module, with_other_code)
        after = code_hash("datasets.digits", "evaluation.validity")
        assert after != before
        before = after


def test_a_file_that_is_touched_or_moved_with_its_package_keeps_its_hash(package):
    assert code_hash("training.loop") == fresh_hash(PACKAGE)
    path_of(package, "training.loop").touch()
    forget()
    assert code_hash("training.loop") == fresh_hash(PACKAGE)


def fresh_hash(root):
    """The hash of training as another installation of the package would give it."""
    spec = importlib.util.spec_from_file_location("elsewhere", root / "study" / "fingerprint.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.code_hash("training.loop")


@pytest.mark.parametrize("module", MODULES)
def test_the_package_imports_its_own_modules_only_in_the_way_the_hash_can_follow(module):
    for node in ast.walk(ast.parse(path_of(PACKAGE, module).read_bytes())):
        if isinstance(node, ast.Import):
            assert not any(alias.name.split(".")[0] == "solverproof" for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            if node.module == "solverproof":
                assert [alias.name for alias in node.names] == ["__version__"]
            if node.module.startswith("solverproof."):
                names = {
                    f"{node.module.removeprefix('solverproof.')}.{alias.name}"
                    for alias in node.names
                }
                assert names.isdisjoint(MODULES)


def test_the_tests_know_all_modules():
    assert {"training.loop", "reporting.figures.style", "datasets.base", "__main__"} <= set(MODULES)
    assert "solverproof" in sys.modules
