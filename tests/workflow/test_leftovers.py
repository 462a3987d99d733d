"""Tables and figures of an earlier selection are told from those of the present one."""

import pytest

pytestmark = pytest.mark.workflow

SUB_STUDY = "select: {tasks: [sphere2]}\ncontrolled: null"
LEFT = [
    "results/figures/figure4_accuracy_digits.pdf",
    "results/figures/figure4_accuracy_digits.png",
    "results/figures/figure5_adaptation_sphere2_euler_adapt_midpoint.pdf",
    "results/figures/figure5_adaptation_sphere2_euler_adapt_midpoint.png",
    "results/figures/figure7_collapse_digits.pdf",
    "results/figures/figure7_collapse_digits.png",
    "results/figures/figure8_cost_sphere2.pdf",
    "results/figures/figure8_cost_sphere2.png",
    "results/tables/comparison.csv",
    "results/tables/comparison.html",
    "results/tables/comparison.md",
    "results/tables/comparison.tex",
]


def told(outcome):
    start = "solverproof: of an earlier selection, not made by this one: "
    return [line[len(start) :] for line in outcome.text.splitlines() if line.startswith(start)]


@pytest.mark.slow
def test_a_run_names_the_tables_and_figures_of_an_earlier_selection_and_leaves_them(study):
    before = study.contents("figures", "tables")
    study.change(SUB_STUDY)
    assert told(study.run()) == [", ".join(LEFT)]
    assert told(study.run()) == [", ".join(LEFT)]  # with nothing to be done
    after = study.contents("figures", "tables")
    for path in LEFT:
        assert after[path.removeprefix("results/")] == before[path.removeprefix("results/")]


def test_a_run_of_which_a_job_fails_names_them_as_well(study):
    study.change(SUB_STUDY)
    study.edit("workflow/solverproof/reporting/figures/fan.py", lambda code: code + "\n1 / 0\n")
    outcome = study.snakemake("--cores", 1, "fan")
    assert outcome.code != 0
    assert told(outcome) == [", ".join(LEFT)]


def test_a_run_of_one_figure_names_only_what_no_run_of_the_selection_makes(study):
    study.edit(
        "workflow/solverproof/reporting/figures/fan.py", lambda code: code + "\nEDITED = 1\n"
    )
    outcome = study.run("fan")
    assert outcome.jobs == {"fan": 1}
    assert told(outcome) == []
