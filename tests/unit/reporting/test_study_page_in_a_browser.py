"""The page of a study in a real browser: what a mouse, a keyboard and a printer make of it."""

from pathlib import Path

import pytest
import studies
from browser import CHROMIUM, browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
ROWS = "[...document.querySelectorAll('#table-{} ~ * tbody')][0].rows"
CURVE = "document.querySelector('#explore-curve .now').getAttribute('transform')"
AXE = Path("node_modules/axe-core/axe.min.js")
FIGURES = ["figure4_accuracy_toy.png", "animation.gif"]
BOTH = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
EVERY_WIDTH = pytest.mark.parametrize("width", [390, 1100])
PLANE = "[...document.querySelectorAll('#explore-plane .path')].map(p => p.getAttribute('points'))"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def opened(chromium, tmp_path):
    """Opens the page of a study made by hand, and holds at the end that nothing was complained."""

    def open_(rows=None, **options):
        studies.page(tmp_path, rows or studies.evaluations(), **options)
        chromium.errors.clear()
        chromium.look()
        chromium.open(tmp_path / "results" / "report.html")
        return chromium

    yield open_
    assert chromium.errors == []


def test_the_slider_changes_accuracy_and_trajectories_by_keyboard_and_mouse(opened):
    page = opened()
    before, told = page.run(PLANE), page.text("#explore-told")
    assert told.startswith("euler, 2 steps: accuracy 95.0 %, as it was trained.")
    place = page.run(CURVE)
    page.press("ArrowRight", "#explore-step")
    finer = page.text("#explore-told")
    assert finer.startswith("euler, 4 steps: accuracy 55.0 %, 40.0 points less")
    assert page.run("document.activeElement.ariaValueText").startswith(
        "euler, 4 steps: accuracy 55"
    )
    assert page.run(PLANE) != before
    assert page.run(CURVE) != place
    page.click("#explore-step", across=0.02)
    assert page.text("#explore-told") == told
    assert page.run(PLANE) == before


def test_points_in_the_wrong_class_are_crosses_and_are_counted(opened):
    page = opened()
    assert "2 of 3 points in the wrong class" in page.text("#explore-plane-told")
    assert page.run("document.querySelectorAll('#explore-plane .wrong').length") == 2
    page.press("End", "#explore-step")
    assert "0 of 3 points in the wrong class" in page.text("#explore-plane-told")


def test_another_setting_is_shown_when_it_is_chosen(opened):
    page = opened()
    page.run(
        "(s => { s.value = '8 steps'; s.dispatchEvent(new Event('change')) })"
        "(document.getElementById('explore-setting'))"
    )
    assert page.text("#explore-told").startswith("euler, 8 steps")


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (studies.evaluations({0: {8: None}}), "None of its runs trained"),
        (studies.real_valued(studies.evaluations()), "error 0.25, as it was trained"),
    ],
)
def test_studies_without_accuracies_have_an_explorer_as_well(opened, rows, told):
    assert told in opened(rows, explored=False).text("#explore-told")


def test_tables_are_sorted_and_filtered_by_keyboard(opened):
    page = opened()
    rows = ROWS.format("evaluations")
    every = page.run(f"{rows}.length")
    assert every == len(studies.evaluations())
    header = "[...document.querySelectorAll('[data-source] th button')]"
    column = page.run(f"{header}.findIndex(b => b.textContent === 'accuracy')")
    page.run(f"{header}[{column}].focus()")
    page.press("Enter")
    shown = page.run(f"[...{rows}].map(r => parseFloat(r.cells[{column}].textContent))")
    assert shown == sorted(shown)
    assert len(set(shown)) > 1
    page.press("Enter")
    assert page.run("document.querySelectorAll('th[aria-sort=descending]').length") == 1
    page.run(
        "(i => { i.value = 'reference'; i.dispatchEvent(new Event('input')) })"
        "(document.querySelector('#table-evaluations ~ * input'))"
    )
    assert page.run(f"{rows}.length") == every // 3


def test_a_link_to_a_cell_opens_it(opened):
    page = opened()
    page.run("location.hash = 'toy/euler/steps-8/seeds-0-1'")
    opened_ = "document.getElementById('toy/euler/steps-8/seeds-0-1').open"
    assert page.run(f"new Promise(done => setTimeout(() => done({opened_}), 200))")


def test_nothing_from_names_or_reasons_is_run(opened):
    rows = studies.evaluations({0: {8: None}, 1: {8: 0.02}})
    hostile = "</script><script>document.title = 'mine'</script><img src=x onerror='location = 1'>"
    spoilt = [row | {"reason": hostile} if row["status"] == "diverged" else row for row in rows]
    page = opened(spoilt)
    assert page.run("document.title") == "Is your Neural ODE solver-proof?"
    assert page.run("document.querySelectorAll('img').length") == 0


@EVERY_WIDTH
@BOTH
def test_it_is_shown_without_scrolling_sideways(opened, dark, width):
    page = opened(figures=FIGURES)
    page.look(width=width, height=844, dark=dark)
    root = "document.documentElement"
    bar = 0 if width < 600 else 15  # of scrolling down
    assert page.run(f"{root}.clientWidth") == width - bar
    assert page.run(f"{root}.scrollWidth") == width - bar


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed: npm install axe-core")
@EVERY_WIDTH
@BOTH
def test_a_check_of_accessibility_finds_nothing(opened, dark, width):
    page = opened(figures=FIGURES)
    page.look(width=width, height=844, dark=dark)
    page.run(f"{AXE.read_text(encoding='utf-8')}; 0")
    assert page.run("axe.run().then(found => found.violations.map(v => [v.impact, v.help]))") == []


def test_figures_are_enlarged_by_keyboard_and_mouse(opened):
    page = opened(figures=FIGURES)
    images = "[...document.images].map(image => image.decode().then(() => image.naturalWidth))"
    assert page.run(f"Promise.all({images})") == [4, 4]
    for enlarge in (page.click, lambda button: page.press("Enter", button)):
        enlarge("figure button")
        assert page.run("document.querySelector('#enlarged[open] img').naturalWidth") == 4
        page.press("Enter", "#enlarged form button")
        assert not page.run("document.getElementById('enlarged').open")


def test_it_prints(opened):
    assert opened().pdf().startswith(b"%PDF")
