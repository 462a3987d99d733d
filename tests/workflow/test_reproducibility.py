"""A finished study has all its files, and a second one from scratch has the same bytes."""

import json
import re
from pathlib import Path

import pytest
from tests.private_cluster import wait_until
from tests.unit.browser import CHROMIUM, browser

pytestmark = pytest.mark.workflow

FIGURES = [
    "figure1_trajectories",
    "figure2_regions",
    "figure3_fan",
    "figure4_accuracy_digits",
    "figure4_accuracy_sphere2",
    "figure5_adaptation_sphere2_euler_adapt_midpoint",
    "figure6_criteria",
    "figure7_collapse_digits",
    "figure7_collapse_sphere2",
    "figure8_cost_sphere2",
]
FLOW = ["sphere2/euler/steps-2/seeds-0-1", "sphere2/euler/steps-4/seeds-0-1"]
TRAINED = ["digits/euler/steps-1/seeds-0-1", *FLOW, "sphere2/fehlberg2/tolerance-0.1/seeds-0-1"]
ADAPTED = [f"sphere2/euler/adapt_midpoint/seeds-{seed}-{seed}" for seed in (0, 1)]


def test_a_finished_study_has_all_tables(finished):
    tables = finished.contents("tables")
    assert tables.keys() == {
        "tables/evaluations.csv",
        "tables/drops.csv",
        "tables/audits.csv",
        *(f"tables/criteria.{kind}" for kind in ("csv", "md", "html")),
        *(f"tables/settings.{kind}" for kind in ("csv", "md", "html")),
        *(f"tables/critical_steps.{kind}" for kind in ("csv", "md", "html")),
        *(f"tables/comparison.{kind}" for kind in ("csv", "md", "html", "tex")),
    }
    assert all(text.count(b"\n") > 1 for text in tables.values())


def test_a_finished_study_has_all_figures_as_pdf_and_png_and_an_animation(finished):
    figures = finished.contents("figures")
    assert figures.pop("figures/animation.gif").startswith(b"GIF89a")
    assert figures.pop("figures/animation.mp4")[4:8] == b"ftyp"
    assert figures.keys() == {
        f"figures/{name}.{suffix}" for name in FIGURES for suffix in ("pdf", "png")
    }
    for name, content in figures.items():
        assert content.startswith(b"%PDF-" if name.endswith("pdf") else b"\x89PNG\r\n\x1a\n"), name
        assert len(content) > 5000, name


def test_its_page_shows_every_figure_once_and_as_an_image(finished):
    page = (finished.results / "report.html").read_text(encoding="utf-8")
    shown = re.findall(r'<figure id="(figure[^"]+|animation)"', page)
    assert shown == sorted([*FIGURES, "animation"])
    kinds = re.findall(r"data:([a-z]+/[a-z0-9+]+);base64", page)
    assert set(kinds) == {"image/gif", "image/png"}


def test_a_finished_study_has_a_log_of_every_job(finished):
    cells = TRAINED + ADAPTED
    jobs = {"train": TRAINED, "adapt": ADAPTED, "evaluate": cells, "audit": cells}
    traces = [f"logs/trace/{cell}/seed-0.log" for cell in FLOW]
    explored = [cell for cell in cells if "digits" not in cell and "seeds-1" not in cell]
    single = [
        "logs/report.log",
        "logs/prepare/sphere2.log",
        "logs/prepare/digits.log",
        "logs/tabulate.log",
        "logs/gather.log",
        "logs/compare.log",
    ]
    assert finished.contents("logs").keys() == {
        *(f"logs/{rule}/{cell}.log" for rule, cells in jobs.items() for cell in cells),
        *traces,
        *(f"logs/explore/{cell}.log" for cell in explored),
        *single,
        *(f"logs/figures/{name}.log" for name in (*FIGURES, "animation")),
    }


UP_TO_TABLES = {
    "prepare": 2,
    "train": 4,
    "adapt": 2,
    "evaluate": 6,
    "audit": 6,
    "tabulate": 1,
    "gather": 1,
    "compare": 1,
}


@pytest.mark.slow
def test_two_runs_from_scratch_on_different_cores_give_the_same_tables(fresh, finished):
    assert fresh.run("tables", cores=1).jobs == UP_TO_TABLES
    assert fresh.contents("tables") == finished.contents("tables")


@pytest.mark.slow
def test_two_runs_from_scratch_on_different_cores_give_the_same_bytes(fresh, finished):
    outcome = fresh.run(cores=1)
    assert outcome.jobs == {
        **UP_TO_TABLES,
        "adaptation": 1,
        "trace": 2,
        "explore": 4,
        "report": 1,
        "trajectories": 1,
        "regions": 1,
        "animation": 1,
        "fan": 1,
        "accuracy": 2,
        "criteria": 1,
        "collapse": 2,
        "cost": 1,
    }
    folders = (
        "data",
        "models",
        "evaluations",
        "references",
        "audits",
        "traces",
        "explorations",
        "tables",
        "figures",
    )
    timed = ("run.json", "history.csv")
    first, second = finished.contents(*folders), fresh.contents(*folders)
    assert first.keys() == second.keys()
    assert [
        name for name in first if first[name] != second[name] and not name.endswith(timed)
    ] == []


def test_a_finished_study_makes_a_report(study):
    pytest.importorskip("pygments")
    outcome = study.snakemake("--report", "report.html")
    assert outcome.code == 0, outcome.text
    report = (study.folder / "report.html").read_text(encoding="utf-8")
    results = json.loads(re.search(r"^ *var results = (\{.*\});?$", report, re.MULTILINE)[1])
    shown = {Path(path).name: result for path, result in results.items()}
    pages = ["settings", "critical_steps", "criteria", "comparison"]
    assert shown.keys() == {
        "animation.gif",
        *(f"{name}.png" for name in FIGURES),
        *(f"{name}.html" for name in pages),
        *(f"{name}.csv" for name in (*pages, "evaluations", "drops", "audits")),
    }
    names = [tuple(result["labels"].values()) for result in shown.values()]
    assert len(set(names)) == len(names)
    assert ("Figure 4: accuracy under other test settings", "digits") in names
    for name, result in shown.items():
        assert result["caption"].startswith("<p>"), name
        assert not re.search(r"[{}]|system-message", result["caption"]), name
    assert "Neural ODE is trained through a numerical solver" in report


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_the_report_of_snakemake_lists_titles_in_a_browser_and_complains_of_nothing(
    study, tmp_path
):
    pytest.importorskip("pygments")
    assert study.snakemake("--report", "report.html").code == 0
    with browser(tmp_path / "profile") as page:
        for name, holding in (
            ("Figures", "Figure 7: accuracy with its solver, and as an ODE"),
            ("Tables", "Four criteria of being an ODE"),
        ):
            # opened anew, because Snakemake's page goes on to show the category before
            page.open(study.folder / "report.html")
            open_category(page, name, holding)
        assert page.errors == []


def open_category(page, name, holding):
    links = "[...document.querySelectorAll('a')]"
    page.run(f"{links}.find(link => link.textContent.trim() === '{name}').click()")
    wait_until(lambda: holding in page.run("document.body.innerText"), seconds=60)
