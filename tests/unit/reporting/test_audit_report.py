import csv
import json
import math
import re
import shutil
import tomllib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from audits import (
    CHECKS,
    EVERY,
    SAMPLES,
    candidate,
    failed,
    passed,
    table,
    undecided,
    unresolved,
    values,
)

from solverproof.auditing.reasons import percent
from solverproof.errors import InputError
from solverproof.ode.solvers import SOLVERS, Setting
from solverproof.reporting.html import folder as folder_module
from solverproof.reporting.html.folder import save
from solverproof.reporting.html.markdown import markdown
from solverproof.reporting.html.page import page
from solverproof.reporting.html.record import read_audit, record, written
from solverproof.reporting.html.report import card, report
from solverproof.reporting.html.terminal import text
from solverproof.reporting.html.wording import bidding, kind_sentence

ALWAYS = {"report.html", "report.md", "card.md", "audit.json", "samples.csv"}
PARETO = {"pareto.pdf", "pareto.png"}
CONVERGENCE = {"convergence.pdf", "convergence.png"}
VOID = {"meta", "path", "use"}  # an SVG closes its own
SCRIPT = "<script>alert(1)</script> | ![x](http://example.org/x.png)"


class Page(HTMLParser):
    """The elements of a page, checked to be nested; its text without styles."""

    def __init__(self, content):
        super().__init__()
        self.elements, self.text, self.open = [], [], []
        self.feed(content)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)

    def said(self):
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module", params=EVERY)
def saved(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit") / "deep" / "report"
    save(EVERY[request.param], folder)
    return request.param, EVERY[request.param], folder


@pytest.fixture(scope="module")
def of_passed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("passed")
    save(passed(), folder)
    return folder


def read(folder, name):
    return (folder / name).read_text(encoding="utf-8")


def page_of(result):
    """The page without its drawings."""
    return page(report(result, []), {})


def test_every_file_is_there_and_no_other(saved):
    name, _, folder = saved
    figures = {
        "unresolved": set(),
        "undecided": PARETO,  # one step size has no slope
    }.get(name, PARETO | CONVERGENCE)
    assert {path.name for path in folder.iterdir()} == ALWAYS | figures
    for path in folder.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
    for path in folder.glob("*.pdf"):
        assert path.read_bytes().startswith(b"%PDF")


def test_the_files_that_the_page_is_made_of_are_part_of_the_package():
    root = Path(folder_module.__file__).parents[4]
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    packaged = settings["setuptools"]["package-data"]["solverproof"]
    here = Path(folder_module.__file__).parent
    data = [path for path in here.iterdir() if path.suffix not in {".py", ""}]
    assert len(data) == 2
    for path in data:
        assert path.relative_to(root / "workflow" / "solverproof").as_posix() in packaged


def test_the_page_is_nested_well_and_its_ids_are_unique(saved):
    page = Page(read(saved[2], "report.html"))
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_references_within_drawings_are_to_ids_that_are_there(of_passed):
    content = read(of_passed, "report.html")
    ids = {attrs["id"] for _, attrs in Page(content).elements if "id" in attrs}
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', content))
    assert used
    assert used <= ids


def test_the_page_loads_nothing_and_runs_nothing(saved):
    content = read(saved[2], "report.html")
    for tag, attrs in Page(content).elements:
        assert tag not in {"script", "link", "iframe", "img", "object", "base", "form", "a"}
        assert not [name for name in attrs if name in {"src", "srcset"} or name.startswith("on")]
        links = [value for name, value in attrs.items() if name.endswith("href")]
        assert all(link.startswith("#") for link in links)
    assert not re.search(r"@import|url\((?!#)", content)


def test_the_page_and_the_markdown_never_say_nan(saved):
    _, _, folder = saved
    said = Page(read(folder, "report.html")).said()
    for content in (said, read(folder, "report.md"), read(folder, "card.md")):
        assert not re.search(r"\b(nan|NaN|inf|None|null|True|False)\b", content)


def test_the_verdict_comes_first_and_is_a_word(saved):
    _, result, folder = saved
    said = Page(read(folder, "report.html")).said()
    places = [said.find(words) for words in (result.verdict, "What to do", "Made with")]
    assert -1 not in places
    assert places == sorted(places)
    lines = read(folder, "report.md").splitlines()
    assert lines[2].startswith(f"**{result.verdict}**: ")


def test_the_page_has_its_sections_in_order(of_passed):
    headings = re.findall(r"<h2>(.*?)</h2>", read(of_passed, "report.html"))
    assert headings == [
        "What to do", "Why", "Cost and agreement", "Error and step size", "Settings",
        "Checks of the call", "Observed order", "Growth of errors", "Stability", "Crossing",
        "Own measure", "Further measures", "Made with",
    ]  # fmt: skip


def test_the_page_and_the_markdown_say_the_same(of_passed):
    said = Page(read(of_passed, "report.html")).said()
    cells = re.findall(r"[^|\n]+", read(of_passed, "report.md").replace("\\", ""))
    for cell in map(str.strip, cells):
        if re.match(r"[\w“]", cell):
            assert " ".join(cell.split()) in said


def test_the_line_to_paste_is_on_the_page_in_the_markdown_and_on_the_card(of_passed):
    call = passed().advice.call
    assert call in Page(read(of_passed, "report.html")).said()
    for name in ("report.md", "card.md"):
        assert f"```python\n{call}\n```" in read(of_passed, name)


def test_the_table_has_a_row_for_each_setting_the_cheapest_first_the_deployed_one_marked(of_passed):
    content = read(of_passed, "report.html")
    table = content[content.index("<h2>Settings") : content.index("<h2>Checks")]
    names = re.findall(r'<th scope="row">(.*?)</th>', table)
    assert len(names) == len(passed().settings)
    assert names[:3] == ["euler with 4 steps", "midpoint with 2 steps", "rk4 with 1 step"]
    assert re.findall(r'<tr class="marked"><th scope="row">(.*?)</th>', table) == [
        "euler with 32 steps"
    ]
    assert "nonfinite: the state overflows" in table
    assert re.search(r"midpoint with 8 steps.*advised", table)


@pytest.mark.parametrize("missing", [{}, {"checks": []}, {"checks": None}])
def test_checks_that_were_not_made_have_no_section(missing):
    assert "Checks" not in Page(page_of(passed(measures=missing))).said()


def test_a_check_that_does_not_hold_stands_out():
    broken = {**CHECKS[2], "ok": False, "value": 0.36}
    content = page_of(passed(measures={"checks": [CHECKS[0], broken]}))
    assert re.search(r'<tr class="marked"><th scope="row">alone against batch</th><td>✗', content)
    assert not re.search(r'<tr class="marked"><th scope="row">determinism', content)


def test_what_comes_from_outside_is_text_and_no_markup(tmp_path):
    given = passed()
    hostile = replace(
        given,
        reasons=[SCRIPT],
        measures={SCRIPT: {SCRIPT: SCRIPT}, "checks": [{"name": SCRIPT, "sentence": SCRIPT}]},
        advice=replace(given.advice, call=f"{SCRIPT}\n```"),
        settings=given.settings.assign(status=SCRIPT, reason=SCRIPT),
        provenance={"model": SCRIPT, SCRIPT: SCRIPT},
    )
    save(hostile, tmp_path)
    content = read(tmp_path, "report.html")
    assert "<script" not in content.lower()
    assert SCRIPT in Page(content).said()
    for name in ("report.md", "card.md"):
        prose = re.sub(r"````python\n.*?\n````", "", read(tmp_path, name), flags=re.DOTALL)
        assert not re.search(r"(?<!\\)<script|!\[x\]", prose)
    rows = [line for line in markdown(card(hostile)).splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {3}


@pytest.mark.parametrize(
    ("result", "word", "said"),
    [
        (passed(), "PASS", "or take the cheapest safe setting, midpoint with 8 steps: 16 eval"),
        (failed(), "FAIL", "Pin euler with 8 steps wherever"),
        (unresolved(), "INCONCLUSIVE", "Share of predictions unlike the flow's: not known"),
        (undecided(), "INCONCLUSIVE", "Audit more than 1,000 samples"),
        (values(), "PASS", "Share of samples farther off the flow than 0.02: 1.2 %"),
    ],
)
def test_a_report_says_what_each_verdict_bids(result, word, said):
    told = markdown(report(result, []))
    assert f"**{word}**" in told
    assert said in told


FINE = Setting(SOLVERS["rk4"], steps=8)
ADVICE = passed().advice


@pytest.mark.parametrize(
    ("result", "kind", "bidden"),
    [
        (passed(), "ODE, if it was trained as it is deployed: it agrees", "Keep it, or take the"),
        (passed(trained="flow"), "ODE: the field itself was trained", "Keep it, or take the"),
        (passed(trained=FINE), "ODE: as it was trained, with rk4 with 8 steps", "Keep it"),
        (passed(trained=passed().deployed), "ODE: it agrees with its flow", "Keep it, or take"),
        (
            replace(passed(trained=FINE), kind="solver-bound"),
            "Solver-bound: with rk4 with 8 steps it learned its solver's steps",
            "Deploy it with rk4 with 8 steps, as it was trained, and with nothing else: euler with "
            "32 steps gives other predictions.",
        ),
        (
            replace(passed(trained=FINE), kind="unresolved"),
            "Unresolved: 1,000 samples do not tell whether rk4 with 8 steps, as it was trained,",
            "More samples would tell whether the flow is what was learned.",
        ),
        (
            failed(),
            "Solver-bound, if it was trained as it is deployed: it learned its solver's steps",
            "If it was trained otherwise, say so (trained=...): then this does not hold.",
        ),
        (failed(trained=failed().deployed), "Solver-bound: with euler", "have an ODE, train it wi"),
        (
            replace(failed(trained="flow", advice=ADVICE), kind="ode"),
            "ODE: the field itself was trained; the finer a setting, the nearer",
            "Do not deploy it with euler with 8 steps: take midpoint with 8 steps, the cheapest "
            "safe setting (16 evaluations instead of 8).",
        ),
        (
            replace(failed(trained=FINE), kind="ode"),
            "ODE: as it was trained, with rk4 with 8 steps, it agrees with its flow",
            "take a finer setting, or rk4 with 8 steps, as it was trained. Of those tried, none",
        ),
        (
            failed(trained=FINE),
            "Solver-bound: with rk4 with 8 steps it learned its solver's steps",
            "Deploy it with rk4 with 8 steps, as it was trained",
        ),
        (
            replace(failed(), kind="unresolved"),
            "Unresolved: euler with 8 steps gives too few outputs to tell what it learned.",
            "Do not deploy it with euler with 8 steps: take a finer setting.",
        ),
        (unresolved(), "could not be computed closely enough", "stay with dopri5 at tolerance 0.1"),
        (undecided(), "1,000 samples do not tell", "Until then stay with euler with 32 steps"),
        (
            replace(undecided(), settings=undecided().settings.assign(safe=False)),
            "1,000 samples do not tell",
            "nothing shows that another setting would do",
        ),
        (
            replace(undecided(), settings=undecided().settings.assign(safe=True)),
            "1,000 samples do not tell",
            "none was confirmed on samples that had no part in choosing it",
        ),
        (undecided(advice=ADVICE), "do not tell", "midpoint with 8 steps is confirmed as safe"),
        (replace(undecided(trained=FINE), kind="ode"), "ODE: as it was", "then stay with rk4"),
    ],
)  # fmt: skip
def test_kind_and_training_decide_what_is_bidden(result, kind, bidden):
    assert kind in kind_sentence(result)
    assert bidden in bidding(result)
    assert ("Pin" in bidding(result)) <= (result.kind == "solver-bound")


def test_a_model_bound_to_its_solver_gets_no_other_to_paste_or_to_call_safe():
    bound = failed(advice=ADVICE)
    for told in (markdown(report(bound, [])), markdown(card(bound)), text(bound)):
        assert "odeint(" not in told
    assert "settings that agree with its flow" in markdown(card(bound))
    assert "odeint(" in text(replace(failed(trained="flow", advice=ADVICE), kind="ode"))


def test_the_deployed_setting_is_kept_where_it_is_the_cheapest_safe_one():
    deployed = Setting(SOLVERS["euler"], steps=32)
    kept = passed(advice=replace(passed().advice, setting=deployed, nfe=32))
    assert "Keep it: of the settings tried, none that is safe is cheaper (32 evaluations)." in (
        markdown(report(kept, []))
    )


def test_without_a_head_five_samples_of_a_hundred_may_be_beyond_what_is_accepted():
    assert "5 % is accepted" in markdown(report(values(), []))
    assert "1 % is accepted" in markdown(report(passed(), []))


def test_the_card_names_what_was_audited_the_safe_settings_the_version_and_the_day():
    told = markdown(card(passed()))
    assert "| audited | euler with 32 steps; 1,000 samples |" in told
    safe = "euler with 32, 64 steps; midpoint with 8 steps; rk4 with 4, 8 steps; dopri5 at 0.001"
    assert f"| safe settings | {safe} |" in told
    assert "| Solverproof 0.2.0, 2026-11-25 |" in told
    assert "none found" in markdown(card(failed()))


def test_tolerances_that_differ_are_told_beside_settings_that_have_one_or_none():
    near = {"atol": 1e-6}, {"atol": 1.0000001e-6}
    rows = [candidate("rk4", 4, 0), candidate("dopri5", 1e-3, 0)]
    rows += [candidate("dopri5", 1e-3, 0, **own) for own in near]
    advised = Setting(SOLVERS["dopri5"], tolerance=1e-3, **near[0])
    advice = replace(passed().advice, setting=advised)
    result = passed(settings=table(*rows), advice=advice)
    told = markdown(report(result, []))
    for setting in ("rk4 with 4 steps", "dopri5 at tolerance 0.001", advised.words):
        assert f"| {setting} |" in told
    assert told.count("advised |") == 1
    safe = "rk4 with 4 steps; dopri5 at 0.001, 0.001 (atol 1e-06), 0.001 (atol 1e-06)"
    assert f"| safe settings | {safe} |" in markdown(card(result))


def test_a_card_without_versions_and_times_is_a_card():
    assert "| audited by | Solverproof |" in markdown(card(passed(provenance={})))


def test_the_record_is_strict_json_in_a_stable_order_without_samples(saved):
    _, result, folder = saved
    content = read(folder, "audit.json")

    def refuse(constant):
        raise AssertionError(constant)

    found = json.loads(content, parse_constant=refuse)
    assert content == json.dumps(found, indent=2, sort_keys=True) + "\n"
    assert found == read_audit(folder / "audit.json")
    assert found["format"] == 1
    assert "per_sample" not in found
    assert len(found["settings"]) == len(result.settings)
    assert (found["disagreement"] is None) == math.isnan(result.disagreement)


@pytest.mark.parametrize(
    ("trained", "told"),
    [
        (None, None),
        ("flow", "flow"),
        (FINE, {"solver": "rk4", "steps": 8, "tolerance": None, "atol": None}),
    ],
)
def test_the_record_says_how_the_model_was_trained(trained, told):
    assert record(passed(trained=trained))["trained"] == told


def test_numbers_of_numpy_and_what_is_not_finite_are_plain_in_the_record(tmp_path):
    odd = {
        "a": np.float32(0.5), "b": np.array([1, 2]), "c": math.inf, "d": np.arange(2) == 1,
        "e": {1: (math.nan,)}, "f": tmp_path,
    }  # fmt: skip
    (tmp_path / "audit.json").write_text(written(record(passed(measures=odd))), encoding="utf-8")
    assert read_audit(tmp_path / "audit.json")["measures"] == {
        "a": 0.5, "b": [1, 2], "c": None, "d": [False, True], "e": {"1": [None]},
        "f": str(tmp_path),
    }  # fmt: skip


def test_a_failed_setting_has_a_reason_and_whole_steps_in_the_record(of_passed):
    rows = read_audit(of_passed / "audit.json")["settings"]
    (lost,) = [row for row in rows if row["status"] != "ok"]
    assert (lost["steps"], lost["tolerance"], lost["disagreement"]) == (1, None, None)
    assert all(isinstance(row["steps"], int | None) for row in rows)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 2}, r"\$\.format"),
        ({"verdict": "MAYBE"}, r"\$\.verdict"),
        ({"settings": [{"solver": "euler"}]}, r"\$\.settings\[0\]"),
        ({"disagreement_interval": [0]}, r"\$\.disagreement_interval"),
        ({"samples": math.nan}, "NaN is no JSON"),
    ],
)
def test_a_file_that_is_no_record_is_refused_with_the_place(of_passed, tmp_path, change, told):
    content = read_audit(of_passed / "audit.json") | change
    (tmp_path / "audit.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match=told):
        read_audit(tmp_path / "audit.json")


def test_a_record_that_is_not_there_is_told_in_one_line(tmp_path):
    with pytest.raises(InputError, match=r"audit\.json: there is no such file") as error:
        read_audit(tmp_path / "audit.json")
    assert "\n" not in str(error.value)


def test_the_samples_are_a_table_with_a_line_for_each(saved):
    _, result, folder = saved
    with (folder / "samples.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == SAMPLES
    assert list(rows[0]) == ["sample", *result.per_sample]
    assert rows[-1]["agrees"] == "true"
    errors = [float(row["error_relative"]) for row in rows]
    np.testing.assert_array_equal(errors, result.per_sample["error_relative"])


def test_an_audit_without_samples_has_a_table_with_no_lines(tmp_path):
    save(unresolved(per_sample={}), tmp_path)
    assert pd.read_csv(tmp_path / "samples.csv").empty


def test_saving_again_replaces_the_report_and_leaves_other_files_alone(of_passed, tmp_path):
    shutil.copytree(of_passed, tmp_path, dirs_exist_ok=True)
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    save(unresolved(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*ALWAYS, "notes.txt"}
    assert "**INCONCLUSIVE**" in read(tmp_path, "report.md")


def test_saving_the_same_result_gives_the_same_bytes(of_passed, tmp_path):
    save(passed(), tmp_path)
    for path in of_passed.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


@pytest.mark.parametrize("stage", ["save_figure", "markdown", "page"])
def test_an_interruption_leaves_the_earlier_report_whole(of_passed, tmp_path, monkeypatch, stage):
    shutil.copytree(of_passed, tmp_path, dirs_exist_ok=True)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(folder_module, stage, interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(failed(), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_that_cannot_be_written_is_told_in_one_line(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="choose another folder"):
        save(passed(), tmp_path / "file" / "report")


def test_saving_leaves_the_backend_of_matplotlib_as_it_was(tmp_path):
    import matplotlib as mpl

    before = mpl.rcParams["backend"], mpl.rcParams["font.size"]
    mpl.use("svg")
    save(undecided(), tmp_path)
    assert mpl.get_backend().lower() == "svg"
    mpl.use(before[0])
    assert mpl.rcParams["font.size"] == before[1]


LONG = "A reason with very many numbers, such as 0.123 and 4.567, one after the other. " * 8


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("reasons", [None, [LONG] * 9])
def test_the_text_fits_a_screen_and_begins_with_the_verdict(tmp_path, name, reasons):
    result = EVERY[name] if reasons is None else replace(EVERY[name], reasons=reasons)
    lines = text(result, tmp_path).splitlines()
    assert len(lines) <= 24
    assert all(len(line) <= 80 or line == str(tmp_path / "report.html") for line in lines)
    assert lines[0].startswith(f"{result.verdict}  ")
    assert not re.search(r"\bnan\b", "\n".join(lines))


def test_the_text_tells_kind_disagreement_reasons_advice_and_place(tmp_path):
    told = " ".join(text(passed(), tmp_path).split())
    assert "it agrees with its flow" in told
    assert "0.30 % (0.06 to 0.87 at 95 %)" in told
    assert "- The error falls with order 1.02" in told
    assert 'odeint(field, z0, times, method="midpoint"' in told
    assert told.endswith(str(tmp_path / "report.html"))


def test_the_line_to_paste_is_the_same_python_when_it_is_broken(tmp_path):
    import ast

    call = (
        'odeint(field, z0, times, method="midpoint", options={"step_size": 0.125}, atol=1, rtol=2)'
    )
    told = text(passed(advice=replace(passed().advice, call=call)), tmp_path)
    broken = told[told.index("odeint") : told.index("\n\nReport")]
    assert "\n" in broken
    assert ast.dump(ast.parse(broken)) == ast.dump(ast.parse(call))


def test_the_text_moves_no_cursor():
    assert "\x1b" not in text(passed(reasons=["\x1b[2J gone"]))


@pytest.mark.parametrize(
    ("share", "told"),
    [
        (0.0, "0"), (1.0, "100"), (0.00001, "<0.01"), (0.003, "0.30"), (0.0123, "1.2"),
        (0.9999, ">99.9"), (0.00996, "1.0"), (math.nan, "–"), (None, "–"),
    ],
)  # fmt: skip
def test_shares_are_rounded_such_that_only_none_is_0_and_only_all_is_100(share, told):
    assert percent(share) == told
