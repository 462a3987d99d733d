"""The page of a study, read as text; `test_study_page_in_a_browser.py` uses it."""

import base64
import json
import math
import re
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
import runs
import studies
from PIL import Image

from solverproof.files import read_arrays
from solverproof.reporting.study_page.advice import advice
from solverproof.reporting.study_page.jobs import WAITS, graph
from solverproof.reporting.study_page.markup import data, table

VOID = {"meta", "img", "input", "br", "source"}


class Outline(HTMLParser):
    """What elements a page has, and whether all are closed."""

    def __init__(self, page):
        super().__init__()
        self.open, self.ids, self.links, self.loaded, self.words = [], [], [], [], []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given["href"]] if tag == "a" else []
        self.loaded += [given[name] for name in ("src", "srcset") if name in given]
        if tag == "link":
            self.loaded.append(given["href"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(text)

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.words))


def embedded(page, name):
    return json.loads(re.search(rf'id="{name}">(.*?)</script>', page, re.DOTALL)[1])


STUDIES = {
    "two seeds": {"rows": studies.evaluations()},
    "one seed, one cell": {"rows": studies.evaluations({0: {8: 0.02}})},
    "a failed run": {"rows": studies.evaluations({0: {8: None}, 1: {8: 0.02}})},
    "nothing but failed runs": {"rows": studies.evaluations({0: {8: None}, 1: {8: None}})},
    "real values": {"rows": studies.real_valued(studies.evaluations())},
    "a controller": {"rows": studies.evaluations({0: {8: 0.02}}), "controller": "mine"},
    "no trajectories": {"rows": studies.evaluations(), "explored": False},
    "figures": {
        "rows": studies.evaluations(),
        "figures": ["figure4_accuracy_toy.png", "animation.gif"],
    },
}


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES.keys())
def test_the_page_of_any_study_is_whole_and_needs_no_other_file(tmp_path, study):
    page = studies.page(tmp_path, **study)
    outline = Outline(page)
    assert len(set(outline.ids)) == len(outline.ids)
    assert {link.removeprefix("#") for link in outline.links} <= set(outline.ids)
    assert all(source.startswith("data:") for source in outline.loaded)
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", page)
    assert not re.search(r">\s*(nan|None|NaN)\b|\bnan\b", outline.text)


def test_the_same_study_has_the_same_page(tmp_path):
    rows = studies.evaluations()
    assert studies.page(tmp_path / "a", rows) == studies.page(tmp_path / "b", rows)


def test_the_claim_has_the_accuracies_and_the_critical_step_with_their_intervals(tmp_path):
    drops = {0: {2: 0.3, 8: 0.02}, 1: {2: 0.5, 8: 0.04}, 2: {2: 0.4, 8: 0.03}}
    text = Outline(studies.page(tmp_path, studies.evaluations(drops))).text
    assert "Of the 6 models the audit fails 6." in text
    assert "95.0 % (95.0 to 95.0) with their solver and 60.0 % (60.0 to 60.0) as ODEs" in text
    assert "valid under finer solvers with 8 steps or a finer setting, not with 2 steps" in text


def test_failed_runs_are_told_with_their_reasons_and_lead_to_their_cell(tmp_path):
    page = studies.page(tmp_path, studies.evaluations({0: {8: None}, 1: {8: 0.02}}))
    (_, failed) = page.split('<section id="failed"')
    assert "1 of 2 runs failed or did not train." in failed
    assert "loss not finite at iteration 3" in failed
    assert 'href="#toy/euler/steps-8/seeds-0-1"' in failed


def test_every_cell_can_be_linked_to_by_its_path(tmp_path):
    ids = Outline(studies.page(tmp_path, studies.evaluations())).ids
    assert {"toy/euler/steps-2/seeds-0-1", "toy/euler/steps-8/seeds-0-1"} <= set(ids)


def test_the_page_of_a_large_study_shows_the_first_and_says_where_the_others_are(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("solverproof.reporting.study_page.made.MOST_CELLS", 1)
    monkeypatch.setattr("solverproof.reporting.study_page.tables.MOST_ROWS", 1)
    monkeypatch.setattr("solverproof.reporting.study_page.tables.MOST_DATA", 3)
    drops = {seed: dict.fromkeys((2, 8)) | {4: 0.3} for seed in (0, 1)}
    rows = studies.evaluations(drops)
    page = studies.page(tmp_path, rows)
    outline = Outline(page)
    assert [i for i in outline.ids if i.startswith("toy/")] == ["toy/euler/steps-2/seeds-0-1"]
    assert {link.removeprefix("#") for link in outline.links} <= set(outline.ids)
    assert len(embedded(page, "explorer-data")) == 1
    assert embedded(page, "evaluations-data")["length"] == 3
    evaluated = f"3 of {len(rows)} rows"
    for told in ("1 of 3 cells", "1 of 6 rows", evaluated, "1 of 4 runs with a status"):
        assert f"The first {told}; the others are in the study's tables." in outline.text


def test_the_animation_is_shown_and_stands_still_for_those_who_asked_for_less_motion(tmp_path):
    page = studies.page(tmp_path, studies.evaluations(), figures=["animation.gif"])
    found = re.search(
        r'<source srcset="data:image/png;base64,(.*?)" media="\(prefers-reduced-motion: reduce\)">'
        r'<img src="data:image/gif;base64,(.*?)" alt="Animation: [^"]*\. "',
        page,
    )
    still, moving = (Image.open(BytesIO(base64.b64decode(found[i]))) for i in (1, 2))
    assert (still.size, moving.n_frames) == ((4, 3), 2)
    assert still.convert("L").getextrema() == moving.convert("L").getextrema()


HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>&\u2028"


def test_text_from_anywhere_stays_text(tmp_path):
    rows = studies.evaluations({0: {8: None}, 1: {8: 0.02}})
    spoilt = [r | {"reason": HOSTILE} if r["status"] == "diverged" else r for r in rows]
    page = studies.page(tmp_path, spoilt)
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert HOSTILE.split("&", maxsplit=1)[0] in Outline(page).text
    levels = [column.get("levels", []) for column in embedded(page, "evaluations-data")["columns"]]
    assert HOSTILE in [level for column in levels for level in column]


def test_embedded_data_cannot_end_its_element():
    element = data("any", {"a": HOSTILE})
    assert element.count("<") == 2
    inside = element.partition(">")[2].removesuffix("</script>")
    assert json.loads(inside) == {"a": HOSTILE}


def test_the_explorer_has_the_scores_of_the_evaluations_and_what_trained(tmp_path):
    page = studies.page(tmp_path, studies.evaluations({0: {8: 0.3}, 1: {8: None}}))
    (model,) = embedded(page, "explorer-data")
    assert (model["task"], model["solver"], model["name"]) == ("toy", "euler", "8 steps")
    assert (model["seeds"], model["left"]) == ([0], 1)
    assert model["flow"] == 0.6
    (test,) = model["tests"]
    assert (test["values"], test["scores"]) == ([8, 16], [[0.95], [0.65]])


def levels_of(paths):
    return np.frombuffer(base64.b64decode(paths["places"]), "<u2").reshape(3, 3, 2)


def test_trajectories_are_packed_within_a_thousandth_of_the_frame(tmp_path):
    page = studies.page(tmp_path, studies.evaluations({0: {8: 0.3}}))
    (model,) = embedded(page, "explorer-data")
    own, finer = (levels_of(paths) for paths in model["tests"][0]["paths"])
    (file,) = tmp_path.rglob("explorations/**/*.safetensors")
    expected = read_arrays(file)["paths euler steps-16"].transpose(1, 0, 2)
    places = 12 * (finer / 65535 - 0.5)  # the frame is 4 wide, and coordinates reach thrice as far
    np.testing.assert_allclose(places, expected, atol=4e-3)
    assert (own[0, 2] == 0).all()  # not finite


def test_a_table_of_evaluations_is_data_and_has_every_row(tmp_path):
    rows = studies.evaluations()
    table_ = embedded(studies.page(tmp_path, rows), "evaluations-data")
    assert table_["length"] == len(rows)
    assert {len(column["values"]) for column in table_["columns"]} == {len(rows)}


def test_a_table_tells_a_screen_reader_what_it_is():
    html = table("Numbers", ["a", "b"], [["1", "2"]])
    assert "<caption>Numbers</caption>" in html
    assert 'role="region" aria-label="Numbers" tabindex="0"' in html


def test_the_graph_draws_the_rules_that_have_jobs():
    drawn = graph({"prepare": 1, "train": 1200, "report": 1})
    assert "1,200 jobs" in drawn
    assert "adapt" not in drawn
    assert drawn.count("<rect") == 3
    assert drawn.count('class="edge"') == 2


def test_what_a_rule_waits_for_stands_before_it():
    names = list(WAITS)
    assert all(names.index(a) < names.index(rule) for rule in names for a in WAITS[rule])


def model(verdict, kind, status="ok", disagreement=0.0):
    run = {"train_solver": "euler", "train_steps": 8, "train_tolerance": math.nan, "status": status}
    audit = {"verdict": verdict, "kind": kind, "accepted": 0.01, "samples": 1000, "tried": None}
    return pd.Series(run), pd.Series(audit | {"disagreement": disagreement})


def under(**disagreement):
    """Tests with Euler's method: steps (as `n8`) to the share of predictions unlike the flow's."""
    rows = runs.run({("euler", int(name[1:])): 0.9 for name in disagreement})
    found = zip(rows, disagreement.values(), strict=True)
    return pd.DataFrame([row | {"disagreement": share} for row, share in found])


@pytest.mark.parametrize(
    ("verdict", "kind", "tests", "told"),
    [
        ("FAIL", "solver-bound", {"n8": 0.4, "n16": 0.0}, "Pin euler with 8 steps"),
        ("PASS", "ode", {"n4": 0.0, "n8": 0.0}, "or take euler with 4 steps (4 evaluations)"),
        ("PASS", "ode", {"n4": 0.1, "n8": 0.0}, "nothing cheaper"),
        ("FAIL", "unresolved", {"n8": 0.4, "n16": 0.0}, "take euler with 16 steps"),
        ("FAIL", "unresolved", {"n8": 0.4}, "take a finer setting"),
        ("INCONCLUSIVE", "unresolved", {"n8": 0.01}, "stay with euler with 8 steps"),
    ],
)
def test_the_advice_follows_the_verdict_and_the_settings_that_agree(verdict, kind, tests, told):
    assert told in advice(*model(verdict, kind), under(**tests))


@pytest.mark.parametrize(
    ("verdict", "advised", "told"),
    [
        ("PASS", ("rk4", 1, 4), "or take rk4 with 1 step (4 evaluations)"),
        ("PASS", ("euler", 8, 8), "nothing cheaper"),
        ("FAIL", ("rk4", 4, 16), "take rk4 with 4 steps (16 evaluations)"),
        ("FAIL", (None, None, None), "take a finer setting"),
    ],
)
def test_where_the_audit_tried_other_settings_its_advice_counts(verdict, advised, told):
    run, audit = model(verdict, "unresolved")
    names = ("advised_solver", "advised_steps", "advised_nfe")
    found = dict(zip(names, advised, strict=True)) | {"tried": 36, "advised_tolerance": math.nan}
    audit = pd.concat([audit.drop("tried"), pd.Series(found, dtype=object)])
    assert told in advice(run, audit, under(n8=0.0, n16=0.0))


def test_agreement_on_too_few_samples_is_not_enough_to_be_advised():
    run, audit = model("PASS", "ode")
    audit["samples"] = 100
    assert "nothing cheaper" in advice(run, audit, under(n4=0.0, n8=0.0))


@pytest.mark.parametrize(("verdict", "status"), [(None, "diverged"), ("PASS", "untrained")])
def test_what_did_not_train_is_not_deployed(verdict, status):
    assert "Do not deploy" in advice(*model(verdict, "ode", status), under(n8=0.0))
