"""What the configurations that come with the study imply."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from solverproof.reporting.study_page.jobs import WAITS
from solverproof.study.config import MOST_CELLS

pytestmark = pytest.mark.workflow

DEFAULT = {
    "prepare": 2,
    "train": 24,
    "adapt": 15,
    "evaluate": 39,
    "audit": 39,
    "tabulate": 1,
    "gather": 1,
    "compare": 1,
    "adaptation": 2,
    "trace": 2,
    "explore": 16,
    "report": 1,
    "trajectories": 1,
    "regions": 1,
    "animation": 1,
    "fan": 1,
    "accuracy": 2,
    "criteria": 1,
    "collapse": 2,
    "cost": 2,
}


def test_the_default_study_implies_these_jobs(clone):
    assert clone.plan().jobs == DEFAULT


def test_the_workflow_is_complete_without_the_snakefile_at_the_root(clone):
    assert sorted(clone.plan("--snakefile", "workflow/Snakefile").started) == sorted(
        clone.plan().started
    )


def test_the_graph_on_the_page_is_that_of_the_workflow(clone):
    drawn = clone.snakemake("--rulegraph").text
    rules = dict(re.findall(r'(\d+)\[label = "(\w+)"', drawn))
    # all rules of figures are one there
    names = {number: rule if rule in WAITS else "figures" for number, rule in rules.items()}
    found = {
        (names[above], names[below])
        for above, below in re.findall(r"(\d+) -> (\d+)", drawn)
        if rules[below] not in ("study", "all") and names[above] != names[below]
    }
    assert found == {(above, rule) for rule, waits in WAITS.items() for above in waits}


LONGEST = "r" * 200  # as long as the name of the folder of results may be


@pytest.fixture(scope="module")
def commands(clone, tmp_path_factory):
    """The commands of a plan, which name their files, in a folder without any of these."""
    folder = tmp_path_factory.mktemp("commands")
    (folder / "results" / "logs" / "figures").mkdir(parents=True)
    return folder, clone.plan().text


@pytest.mark.parametrize("verb", ["tabulate", "gather", "comparison", "report", "plot adaptation"])
def test_no_command_of_the_largest_study_is_too_long(commands, verb):
    """Linux passes 2 MiB to a program; a command of more than 64 KiB is a script of Snakemake's."""
    folder, plan = commands
    command = re.search(rf"Shell command: (.*solverproof {verb} .*)", plan)[1]
    of_cells = re.compile(r"\S+/seeds-\S+")
    many = MOST_CELLS // len(of_cells.findall(command))
    script = of_cells.sub(lambda path: " ".join([f"{LONGEST}/{path[0]}"] * many), command)
    (folder / "script.sh").write_text(script, encoding="utf-8")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    package = str(Path(__file__).parents[2] / "workflow")
    environment = {**os.environ, "PATH": path, "PYTHONPATH": package}
    done = subprocess.run(["bash", "script.sh"], cwd=folder, env=environment, check=False)
    log = re.search(r"> (\S+) 2>&1", command)[1]
    assert "there is no such file" in (folder / log).read_text(encoding="utf-8")
    assert done.returncode == 2


def kinds(outcome):
    """Every training solver with the kinds of its settings or its controllers."""
    cells = (path.split("/") for rule in ("train", "adapt") for path in outcome.cells(rule))
    return {(solver, label.partition("-")[0]) for _, solver, label, _ in cells}


def test_another_workflow_uses_this_one_as_a_module_with_its_own_configuration(fresh):
    own = fresh.folder / "own"
    own.mkdir()
    (own / "Snakefile").write_text(
        """
configfile: "../config/config.yaml"
configfile: "../tiny.yaml"
config["select"]["tasks"] = ["digits"]
module study:
    snakefile: "../workflow/Snakefile"
    config: config
use rule * from study as study_*
""",
        encoding="utf-8",
    )
    outcome = replace(fresh, folder=own).plan()
    trained = [values for rule, values in outcome.started if rule == "study_train"]
    assert trained == ["cell=digits/euler/steps-1/seeds-0-1"]


def test_the_smoke_study_has_the_rules_solvers_and_controllers_of_the_default_study(clone):
    smoke, default = clone.plan("--configfile", "config/smoke.yaml"), clone.plan()
    assert smoke.jobs.keys() == DEFAULT.keys()
    assert kinds(smoke) == kinds(default)


def test_the_tiny_study_has_the_rules_of_the_default_study_and_these_jobs(clone):
    jobs = clone.plan("--directory", ".test").jobs
    assert jobs == {
        **dict.fromkeys(DEFAULT, 1),
        "train": 2,
        "adapt": 2,
        "evaluate": 4,
        "audit": 4,
        "trace": 2,
        "explore": 3,
    }


SUPPLEMENT = {
    "cifar10-cpu": {"train": 18, "adapt": 6},
    "mnist-cpu": {"train": 30, "adapt": 27},
    "mnist-consistency": {"train": 6, "adapt": 3},
    "paper": {"train": 220, "adapt": 10},
    "adjoint": {"train": 6},
    "comparison": {"train": 22, "adapt": 190},
    "consistency": {"train": 10, "adapt": 45},
    "digits-seeds": {"train": 12, "adapt": 40},
    "factors_model": {"train": 28},
    "factors_training": {"train": 32},
    "law": {"train": 2, "adapt": 105},
    "minima": {"train": 14, "adapt": 60},
    "orders": {"adapt": 15},
    "paper_rule_constants": {"adapt": 18},
    "remedies": {"train": 15, "adapt": 25},
    "sphere900": {"train": 12},
    "sphere2-seeds": {"train": 10},
    "sphere3": {"train": 7, "adapt": 5},
    "sphere10": {"train": 6, "adapt": 5},
    "test_solvers": {"train": 5, "adapt": 15},
    "tolerance_adaptation": {"adapt": 20},
    "tolerances": {"train": 23},
}


@pytest.mark.parametrize(("overlay", "trained"), SUPPLEMENT.items(), ids=SUPPLEMENT.keys())
def test_every_overlay_of_the_supplement_implies_its_cells(clone, overlay, trained):
    jobs = clone.plan("--configfile", "config/config.yaml", f"config/{overlay}.yaml").jobs
    assert {rule: count for rule, count in jobs.items() if rule in ("train", "adapt")} == trained
    assert jobs["evaluate"] == jobs["audit"] == sum(trained.values())
    assert ("accuracy" in jobs) == ("train" in trained)  # there is nothing to draw without settings


def test_every_overlay_is_tested(clone):
    overlays = {file.stem for file in (clone.folder / "config").glob("*.yaml")}
    assert overlays == {"config", "smoke", *SUPPLEMENT}


GUIDE = (Path(__file__).parents[2] / "docs" / "study.md").read_text(encoding="utf-8")
# of the table of figures and tables: the first file of a row, and the row's command
ROWS = re.findall(r"(?m)^\| [^|]+ \| `((?:figures|tables)/[^`]+)`[^|]* \| `([^`]+)` \|$", GUIDE)


def test_the_guide_names_every_table_and_every_kind_of_figure(clone):
    named = {re.sub(r"[A-Z_]{4,}.*", "", file.partition(".")[0]) for file, _ in ROWS}
    made = clone.plan().outputs
    files = {Path(path) for path in made if path.startswith(("results/figures", "results/tables"))}
    assert len(ROWS) == 16
    for file in files:
        assert any(str(file.relative_to("results")).startswith(name) for name in named), file


@pytest.mark.slow
@pytest.mark.parametrize(("file", "command"), ROWS, ids=[file for file, _ in ROWS])
def test_a_command_of_the_guide_makes_its_file_of_the_default_study(clone, file, command):
    program, *options = command.split()
    assert program == "snakemake"
    pattern = re.sub(r"TASK\w*", r"[a-z0-9_]+", re.escape(file))
    made = [
        path for path in clone.plan(*options).outputs if re.fullmatch(f"results/{pattern}", path)
    ]
    assert len(made) == 1


def planned_with(clone, folder, *overlays):
    """Rules and their numbers of jobs of the default study under overlays."""
    files = [folder / f"{i}.yaml" for i in range(len(overlays))]
    for file, overlay in zip(files, overlays, strict=True):
        file.write_text(overlay, encoding="utf-8")
    return clone.plan("--configfile", "config/config.yaml", *files)


@pytest.mark.parametrize(
    ("overlay", "dropped"),
    [
        ("controlled: null", {"adapt": 15}),
        ("tolerances: null", {"train": 6}),
        ("steps: null", {"train": 18}),
        ("controlled: {digits: null}", {"adapt": 10}),
        ("steps: {sphere2: {rk4: null}}", {"train": 5}),
    ],
)
def test_null_deselects_what_is_below_it_and_no_more(clone, tmp_path, overlay, dropped):
    jobs = planned_with(clone, tmp_path, overlay).jobs
    trained = {rule: DEFAULT[rule] - jobs.get(rule, 0) for rule in ("train", "adapt")}
    assert {rule: count for rule, count in trained.items() if count} == dropped


def test_what_one_overlay_deselects_a_later_one_selects_anew(clone, tmp_path):
    anew = "controlled: {digits: {euler: [random]}}"
    outcome = planned_with(clone, tmp_path, "controlled: null", anew)
    assert outcome.cells("adapt") == {f"digits/euler/random/seeds-{i}-{i}" for i in range(5)}


def test_a_value_of_the_command_line_wins_over_all_files(clone):
    outcome = clone.plan("--config", "results=elsewhere")
    assert {path.partition("/")[0] for path in outcome.outputs} == {"elsewhere"}


def test_a_configuration_that_replaces_the_default_one_is_not_laid_over_it(clone, tmp_path):
    minimal = """
        select: {tasks: [toy], solvers: [euler], seeds: [0]}
        steps: {toy: {euler: [4]}}
        tasks: {toy: {data: {family: digits}, network: net, protocol: short}}
        networks: {net: {family: conv, channels: 4}}
        protocols: {short: {iterations: 5, batch: 4, learning_rate: 0.1}}
        controlled: {}
    """
    file = tmp_path / "own.yaml"
    file.write_text(minimal, encoding="utf-8")
    outcome = clone.plan("--replace-workflow-config", "--configfile", file)
    assert outcome.cells("evaluate") == {"toy/euler/steps-4/seeds-0-0"}


def test_the_linter_has_nothing_to_say(clone):
    outcome = clone.snakemake("--lint")
    assert outcome.code == 0, outcome.text
    assert "in a good condition" in outcome.text
