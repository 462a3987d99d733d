"""Every mistake in a configuration is reported in one line, before anything happens."""

import pytest

pytestmark = pytest.mark.workflow

NOTICES = ("Using workflow specific profile ", "Config file config/config.yaml is extended by ")
MISTAKES = {
    "a misspelt key": ("select: {solver: [euler]}", "select.solver", "did you mean 'solvers'?"),
    "a misspelt key at the top": ("selekt: {solvers: [euler]}", "selekt", "did you mean 'select'?"),
    "an unknown training solver": (
        "select: {solvers: [eulr]}",
        "select.solvers[0]",
        "did you mean 'euler'?",
    ),
    "an unknown test solver": (
        "test: {solvers: {euler: [rk5]}}",
        "test.solvers.euler[0]",
        "did you mean 'rk4'?",
    ),
    "an unknown task": ("select: {tasks: [sphere]}", "select.tasks[0]", "did you mean 'sphere"),
    "an unknown network": (
        "tasks: {digits: {network: conv61}}",
        "tasks.digits.network",
        "did you mean 'conv16'?",
    ),
    "no steps": (
        "steps: {sphere2: {euler: [2, 0]}}",
        "steps.sphere2.euler[1]",
        "write a value of at least 1",
    ),
    "negative steps": (
        "steps: {sphere2: {euler: [-4]}}",
        "steps.sphere2.euler[0]",
        "write a value of at least 1",
    ),
    "fractional steps": (
        "steps: {sphere2: {euler: [4.5]}}",
        "steps.sphere2.euler[0]",
        "write a whole number",
    ),
    "steps in words": (
        "steps: {sphere2: {euler: [four]}}",
        "steps.sphere2.euler[0]",
        "write a whole number",
    ),
    "duplicate steps": (
        "steps: {sphere2: {euler: [2, 4, 2]}}",
        "steps.sphere2.euler",
        "2 is given twice; remove one",
    ),
    "duplicate seeds": (
        "select: {seeds: [0-4, 3]}",
        "select.seeds[1]",
        "seed 3 is given twice; remove one",
    ),
    "no seeds": ("select: {seeds: []}", "select.seeds", "give at least one entry"),
    "a number that YAML takes for text": (
        "protocols: {digits: {learning_rate: 1e-3}}",
        "protocols.digits.learning_rate",
        "write 1.0e-3",
    ),
    "an empty mapping where a selection is meant to be emptied": (
        "controlled: {}",
        "controlled",
        "write null to select nothing",
    ),
    "an empty mapping for a task": (
        "steps: {digits: {}}",
        "steps.digits",
        "write null to select nothing",
    ),
    "another method by the name of one that comes with the package": (
        "solvers: {ralston2: {order: 1, c: [0], a: [[]], b: [1]}}",
        "solvers.ralston2",
        "write another name",
    ),
    "more classes than outputs": (
        "tasks: {digits: {classes: 5}}",
        "tasks.digits.classes",
        "write 10",
    ),
}


@pytest.fixture
def refused(clone, tmp_path):
    """Run the study with an overlay that must be refused; return its name and what was printed."""

    def run(overlay):
        file = tmp_path / "overlay.yaml"
        if overlay is not None:
            file.write_text(overlay, encoding="utf-8")
        before = clone.listing()
        outcome = clone.snakemake("--cores", "1", "--until", "prepare", "--configfile", file)
        assert outcome.code != 0
        assert clone.listing() == before
        return file, [line for line in outcome.text.splitlines() if not line.startswith(NOTICES)]

    return run


@pytest.mark.parametrize(("overlay", "key", "remedy"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_in_one_line_with_file_key_and_remedy(refused, overlay, key, remedy):
    file, lines = refused(overlay)
    assert len(lines) == 1, lines
    assert lines[0].startswith("solverproof: ")
    assert f"{key}: " in lines[0]
    assert remedy in lines[0]
    assert str(file) in lines[0]


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        ("select: {solvers: [euler}", "not valid JSON or YAML"),
        ("- select", "keys at top level"),
        ("", "keys at top level"),
    ],
    ids=["broken syntax", "a list", "nothing"],
)
def test_an_overlay_that_is_no_yaml_mapping_is_told_in_one_line(refused, overlay, message):
    _, lines = refused(overlay)
    assert lines[0] == "WorkflowError:"
    assert message in lines[1]
    assert len(lines) == 2, lines


def test_a_missing_overlay_is_named(refused):
    file, lines = refused(None)
    # Snakemake fails on it with a traceback before it reads a Snakefile; the last line is clear
    told = "\n".join(lines).strip().splitlines()[-1]
    assert told == f"FileNotFoundError: [Errno 2] No such file or directory: {str(file)!r}"


NO_CELL = "digits/euler/steps-1/seeds-0-1"


@pytest.mark.parametrize("option", ["--forcerun", "--"])
@pytest.mark.parametrize("folder", ["models", "evaluations"])
def test_a_path_that_is_no_cell_is_told_in_one_line_with_cells_that_are_near(clone, option, folder):
    file = {"models": "/weights.safetensors", "evaluations": ".csv"}[folder]
    before = clone.listing()
    outcome = clone.snakemake("--cores", 1, option, f"results/{folder}/{NO_CELL}{file}")
    assert outcome.code == 1
    _, _, told = outcome.text.partition("Building DAG of jobs...\n")
    (line,) = told.splitlines()
    assert line.startswith(f"solverproof: {NO_CELL} is no cell of this study; write for example ")
    assert "digits/euler/steps-1/seeds-0-4" in line
    assert clone.listing() == before  # no lock is left


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("data/moons.safetensors", "moons is no task of this study"),
        ("figures/figure4_accuracy_mnist.png", "mnist is no task of this study"),
        (
            "traces/sphere2/euler/steps-2/seeds-0-4/seed-7.safetensors",
            "7 is no seed of sphere2/euler/steps-2/seeds-0-4",
        ),
    ],
)
def test_a_path_of_no_task_or_seed_is_told_in_one_line(clone, path, told):
    outcome = clone.snakemake("--dry-run", "--", f"results/{path}")
    assert outcome.code == 1
    _, _, lines = outcome.text.partition("Building DAG of jobs...\n")
    (line,) = lines.splitlines()
    assert line.startswith(f"solverproof: {told}; write for example ")
