"""Nothing runs twice without a reason, and a change re-runs what it can affect, and no more."""

import os
import re

import pytest
import yaml

pytestmark = pytest.mark.workflow

TRAINING = "workflow/solverproof/training/loop.py"
TABLE = "results/tables/evaluations.csv"
FROM_TABLES = {
    "tabulate": 1,
    "gather": 1,
    "compare": 1,
    "accuracy": 2,
    "trajectories": 1,
    "adaptation": 1,
    "criteria": 1,
    "collapse": 2,
    "cost": 1,
    "report": 1,
}
SETTINGS = (
    "digits/euler/steps-1",
    "sphere2/euler/steps-2",
    "sphere2/euler/steps-4",
    "sphere2/fehlberg2/tolerance-0.1",
)


def touch(study, *paths):
    for path in paths:
        root = study.folder / path
        files = [file for file in root.rglob("*") if file.is_file()] or [root]
        for file in files:
            os.utime(file)


def with_another_statement(code):
    return f"{code}\nEDITED = True\n"


def reversed_keys(node):
    if isinstance(node, dict):
        return {key: reversed_keys(node[key]) for key in reversed(node)}
    return node


def test_a_finished_study_has_nothing_to_do(study):
    outcome = study.run()
    assert outcome.idle
    assert outcome.jobs == {}


def test_touched_sources_and_configs_rerun_nothing(study):
    touch(study, "workflow", "config", "profiles", "Snakefile", "tiny.yaml")
    assert study.plan().jobs == {}


@pytest.mark.parametrize(
    "folder", ["data", "models", "evaluations", "traces", "explorations", "tables"]
)
def test_touched_files_with_the_same_content_rerun_nothing(study, folder):
    touch(study, f"results/{folder}")
    assert study.plan().jobs == {}


def test_a_moved_study_reruns_nothing(study, tmp_path):
    moved = tmp_path / "another place" / "study"
    moved.parent.mkdir()
    study.folder.rename(moved)
    assert type(study)(moved).plan().jobs == {}


def test_another_source_folder_reruns_nothing(study):
    study.change("source: elsewhere")
    assert study.plan().jobs == {}


def test_reordered_keys_and_comments_in_the_config_rerun_nothing(study):
    for path in ("config/config.yaml", "tiny.yaml"):
        study.edit(
            path,
            lambda text: (
                "# edited\n" + yaml.safe_dump(reversed_keys(yaml.safe_load(text)), sort_keys=False)
            ),
        )
    assert study.plan().jobs == {}


def test_an_upgraded_package_is_told_and_reruns_nothing(study):
    installed = study.folder / "torchdiffeq-9.9.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: torchdiffeq\nVersion: 9.9\n", encoding="utf-8"
    )
    outcome = study.plan()
    assert outcome.jobs == {}
    told = "solverproof: torchdiffeq 9.9 is installed; 6 of 6 cells were trained with "
    assert sum(line.startswith(told) for line in outcome.text.splitlines()) == 1


def test_definitions_that_nothing_selects_rerun_nothing(study):
    study.change("""
        tasks: {other: {data: {family: spheres, dimension: 5}, network: wide, protocol: short}}
        networks: {wide: {family: conv, channels: 64}}
        protocols: {short: {iterations: 1, batch: 1, learning_rate: 0.1}}
        steps: {other: {heun2: [3]}, sphere2: {heun3: [5]}}
        tolerances: {other: {fehlberg2: [0.1]}, sphere2: {bosh3: [0.1]}}
        controlled: {other: {euler: [slow]}, sphere2: {midpoint: [slow]}}
        controllers: {slow: {family: adaptation, test_solver: rk4}}
        test: {solvers: {heun2: [heun2, heun3]}}
    """)
    assert study.plan().jobs == {}


def test_comments_and_docstrings_in_the_code_rerun_nothing(study):
    study.edit(TRAINING, lambda code: "# edited\n" + code.replace('"""', '"""Edited. ', 1))
    assert study.plan().jobs == {}


def test_an_edited_plot_is_drawn_again_alone(study):
    study.edit("workflow/solverproof/reporting/figures/accuracy.py", with_another_statement)
    assert study.plan().jobs == {"accuracy": 2, "report": 1}


def test_an_edited_style_draws_all_figures_again_and_no_more(study):
    study.edit("workflow/solverproof/reporting/figures/style.py", with_another_statement)
    assert study.plan().jobs == {
        "fan": 1,
        "accuracy": 2,
        "trajectories": 1,
        "regions": 1,
        "animation": 1,
        "adaptation": 1,
        "criteria": 1,
        "collapse": 2,
        "cost": 1,
        "report": 1,
    }


def test_an_edited_script_of_the_page_writes_the_page_again_and_no_more(study):
    script = "workflow/solverproof/reporting/study_page/explorer.js"
    study.edit(script, lambda code: f"{code}\n")
    assert study.plan().jobs == {"report": 1}


def test_edited_training_code_trains_all_cells_again_on_the_same_data(study):
    study.edit(TRAINING, with_another_statement)
    all_cells = {"train": 4, "adapt": 2, "evaluate": 6, "audit": 6}
    assert study.plan().jobs == {
        **all_cells,
        "trace": 2,
        "explore": 4,
        "regions": 1,
        "animation": 1,
        **FROM_TABLES,
    }


def test_edited_code_of_the_controllers_trains_only_what_they_control(study):
    study.edit("workflow/solverproof/training/controllers/paper_rule.py", with_another_statement)
    assert study.plan().jobs == {
        "adapt": 2,
        "evaluate": 2,
        "audit": 2,
        "explore": 1,
        **FROM_TABLES,
    }


def test_another_controller_trains_its_own_cells_and_no_other(study):
    study.change("""
        controllers: {quick: {family: random, steps: [1, 2]}}
        controlled: {sphere2: {euler: [adapt_midpoint, quick]}}
    """)
    outcome = study.plan()
    assert outcome.jobs == {"adapt": 2, "evaluate": 2, "audit": 2, "explore": 1, **FROM_TABLES}
    assert outcome.cells("adapt") == {f"sphere2/euler/quick/seeds-{seed}-{seed}" for seed in (0, 1)}


def test_adaptation_added_to_a_fixed_step_study_trains_nothing_of_that_again(study):
    study.change("controllers: {adapt_midpoint: {threshold: 0.2}}")
    assert study.plan().jobs == {
        "adapt": 2,
        "evaluate": 2,
        "audit": 2,
        "explore": 1,
        **FROM_TABLES,
    }


def test_one_more_tolerance_trains_one_cell(study):
    study.change("tolerances: {sphere2: {fehlberg2: [0.1, 0.01]}}")
    outcome = study.plan()
    assert outcome.jobs == {"train": 1, "evaluate": 1, "audit": 1, "explore": 1, **FROM_TABLES}
    assert outcome.cells("train") == {"sphere2/fehlberg2/tolerance-0.01/seeds-0-1"}


def test_one_more_step_size_trains_one_cell_and_leaves_the_others_alone(study):
    study.change("steps: {sphere2: {euler: [2, 4, 8]}}")
    before = {
        path: state
        for path, state in study.listing().items()
        if study.results / "models" in path.parents
    }
    outcome = study.run("tables")
    assert outcome.jobs == {
        "train": 1,
        "evaluate": 1,
        "audit": 1,
        "tabulate": 1,
        "gather": 1,
        "compare": 1,
    }
    assert outcome.cells("train") == {"sphere2/euler/steps-8/seeds-0-1"}
    assert before.items() <= study.listing().items()
    assert b"sphere2,euler,8," in study.contents("tables")["tables/evaluations.csv"]
    assert study.plan("tables").jobs == {}
    made = {"tabulate", "gather", "compare"}
    left = {rule: n for rule, n in FROM_TABLES.items() if rule not in made}
    assert study.plan().jobs == {**left, "explore": 1}


def test_one_more_block_of_seeds_trains_one_cell_per_setting_and_none_again(study):
    study.change("select: {seeds: [0-1, 2-3]}")
    outcome = study.plan()
    adapted = {f"sphere2/euler/adapt_midpoint/seeds-{seed}-{seed}" for seed in (2, 3)}
    assert outcome.jobs == {
        "train": 4,
        "adapt": 2,
        "evaluate": 6,
        "audit": 6,
        **FROM_TABLES,
    }
    assert outcome.cells("train") == {f"{setting}/seeds-2-3" for setting in SETTINGS}
    assert outcome.cells("adapt") == adapted
    assert outcome.cells("evaluate") == adapted | outcome.cells("train")


SHIPPED = "workflow/solverproof/ode/shipped.yaml"
KUTTA3 = """
  order: 3
  c: [0, 1/2, 1]
  a: [[], [1/2], [-1, 2]]
  b: [1/6, 2/3, 1/6]
"""


def test_a_solver_that_comes_with_the_package_is_used_by_its_name_and_identified_by_its_numbers(
    study,
):
    study.change("""
        select: {solvers: [euler, rk4, fehlberg2, dopri5, ssprk3]}
        steps: {sphere2: {ssprk3: [2]}}
        test: {solvers: {ssprk3: [ssprk3, classic_rk4]}}
    """)
    outcome = study.run(TABLE)
    cell = "sphere2/ssprk3/steps-2/seeds-0-1"
    assert outcome.cells("train") == outcome.cells("evaluate") == {cell}
    tables = study.contents("tables")["tables/evaluations.csv"].decode()
    rows = [row.split(",") for row in tables.splitlines() if row.startswith("sphere2,ssprk3,")]
    assert {"ssprk3", "classic_rk4"} <= {field for row in rows for field in row}
    study.edit(SHIPPED, lambda text: f"{text}kutta3:{KUTTA3}")
    assert study.plan(TABLE).jobs == {}
    study.edit(SHIPPED, lambda text: re.sub(r"(?s)(?<=\nssprk3:)\n.*?(?=\w+:\n)", KUTTA3, text))
    outcome = study.plan()
    assert outcome.cells("train") == outcome.cells("evaluate") == {cell}
    assert "adapt" not in outcome.jobs


def test_one_more_test_solver_evaluates_again_without_training(study):
    study.change(
        "test: {solvers: {fehlberg2: [fehlberg2, dopri5, bosh3], "
        "euler: [euler, midpoint, rk4, heun2]}}"
    )
    assert study.plan().jobs == {"evaluate": 6, "audit": 6, "explore": 4, **FROM_TABLES}


def test_one_more_test_ratio_evaluates_again_without_training(study):
    study.change("test: {ratios: [1, 0.5, 0.25]}")
    assert study.plan().jobs == {"evaluate": 5, "audit": 5, "explore": 3, **FROM_TABLES}


def test_another_threshold_tabulates_again_without_evaluating(study):
    study.change("validity: {threshold: 0.2}")
    assert study.plan().jobs == FROM_TABLES


def test_another_training_protocol_trains_the_cells_of_its_task_only(study):
    study.change("protocols: {digits: {learning_rate: 2.0e-3}}")
    outcome = study.plan()
    assert outcome.jobs == {"train": 1, "evaluate": 1, "audit": 1, **FROM_TABLES}
    assert outcome.cells("train") == outcome.cells("evaluate") == {"digits/euler/steps-1/seeds-0-1"}


def test_one_setting_less_runs_no_cell(study):
    study.change("steps: {sphere2: {euler: [4]}}\nfigures: {flow: {coarse: 4}}")
    assert study.plan().jobs == {"regions": 1, "animation": 1, **FROM_TABLES}


def add_weight_decay(study, default):
    """A key of protocols that did not exist when the study ran, with the neutral value 0."""
    neutral = "neutral: 0.0" if default is None else f"neutral: 0.0, default: {default}"
    study.edit(
        "workflow/solverproof/study/config.schema.yaml",
        lambda schema: schema.replace(
            "        gradient:\n",
            f"        weight_decay: {{description: New., type: number, {neutral}}}\n"
            "        gradient:\n",
        ),
    )
    study.edit(
        "workflow/solverproof/training/specifications.py",
        lambda code: code.replace(
            "    learning_rate: float\n",
            "    learning_rate: float\n    weight_decay: float = 0.0\n",
            1,
        ),
    )


def test_a_new_option_reruns_nothing_that_does_not_use_it(study):
    add_weight_decay(study, None)
    assert study.plan().jobs == {}
    study.change("protocols: {digits: {weight_decay: 0.0}}")
    assert study.plan().jobs == {}


def test_a_new_option_reruns_what_uses_it(study):
    add_weight_decay(study, None)
    study.change("protocols: {digits: {weight_decay: 0.1}}")
    outcome = study.plan()
    assert outcome.cells("train") == outcome.cells("evaluate") == {"digits/euler/steps-1/seeds-0-1"}


def test_a_default_that_changes_reruns_what_used_it_and_nothing_that_says_its_value(study):
    add_weight_decay(study, 0.1)
    study.change("protocols: {paper_spheres: {weight_decay: 0.0}}")
    outcome = study.plan()
    assert outcome.cells("train") == outcome.cells("evaluate") == {"digits/euler/steps-1/seeds-0-1"}


@pytest.mark.slow
def test_a_family_that_is_added_trains_its_own_cells_and_no_other(study):
    add_family(study)
    assert study.plan().jobs == {}
    study.change("""
        controllers: {last: {family: constant, steps: 3}}
        controlled: {digits: {euler: [last]}}
    """)
    outcome = study.run(TABLE)
    assert outcome.cells("adapt") == {f"digits/euler/last/seeds-{seed}-{seed}" for seed in (0, 1)}
    assert "train" not in outcome.jobs
    assert b"digits,euler,3,,last,false" in study.contents("tables")["tables/evaluations.csv"]


def add_family(study):
    """A controller as CONTRIBUTING.md says: a file, a block in the schema, a line in the list."""
    room = "workflow/solverproof/training/controllers"
    (study.folder / room / "constant.py").write_text(CONSTANT, encoding="utf-8")
    line = '    "constant": "solverproof.training.controllers.constant:Constant",\n'
    study.edit(f"{room}/families.py", lambda code: code.replace("}", f"{line}}}"))
    study.edit("workflow/solverproof/study/config.schema.yaml", lambda schema: f"{schema}{BLOCK}")


BLOCK = """    constant:
      description: The same number of steps in every iteration.
      additionalProperties: false
      required: [family, steps]
      properties:
        family: {const: constant}
        steps: {description: Steps., type: integer, minimum: 1}
        probe_every: {description: Between measurements., type: integer, default: 250}
"""
CONSTANT = """
from dataclasses import dataclass
from typing import ClassVar

from solverproof.ode.solvers import Setting
from solverproof.training.controllers.base import Controller


@dataclass(frozen=True, kw_only=True)
class Constant(Controller):
    family: ClassVar[str] = "constant"
    adapts: ClassVar[bool] = False
    steps: int
    probe_every: int

    def misfit(self, solver):
        return None

    def expected_steps(self, solver):
        return self.steps

    def schedule(self, solver, *, seed, stream):
        return Same(Setting(solver, steps=self.steps))


class Same:
    def __init__(self, setting):
        self.deployed, self.checks = setting, []

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass

    def __call__(self, batch):
        return self.deployed
"""
