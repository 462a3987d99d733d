"""What figures and tables are called: short, and each has a title and a caption."""

import re
from pathlib import Path

import pandas as pd
import pytest
from docutils.core import publish_parts

from solverproof.reporting.readable import write_readable
from solverproof.reporting.titles import FIGURES, TABLES, figure_title

CAPTIONS = Path(__file__).parents[3] / "workflow" / "report"


def test_all_that_has_a_title_has_a_caption_and_the_other_way_round():
    named = {*FIGURES, *TABLES, "study"}  # the text of all of Snakemake's report
    assert {file.stem for file in CAPTIONS.glob("*.rst")} == named


def test_a_caption_is_one_paragraph_in_snakemakes_report():
    """One that began with (a) would be a list there."""
    for name in (*FIGURES, *TABLES):
        written = (CAPTIONS / f"{name}.rst").read_text(encoding="utf-8")
        shown = publish_parts(written, writer="html")["body"]
        assert re.fullmatch(r"<p>[^<]*</p>\n", shown), name


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("figure3_fan", ("Figure 3: Lady Windermere's fan", "")),
        ("figure4_accuracy_my_task", ("Figure 4: accuracy under other test settings", "my_task")),
        ("animation", ("Animation: a coarse and a fine model while the test step shrinks", "")),
    ],
)
def test_a_figure_is_called_by_its_number_and_what_it_shows_of_what(name, title):
    assert figure_title(name) == title


def test_a_table_for_readers_is_a_page_of_its_own_whatever_its_cells_hold(tmp_path):
    rows = pd.DataFrame({"task": ["<b>"], "what": ["a" * 80], "valid (%)": ["3.1 (1.0 to 5.2)"]})
    write_readable(rows, tmp_path, "settings")
    page = (tmp_path / "settings.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;" in page
    assert all(text in page for text in (*rows, "a" * 80, "3.1 (1.0 to 5.2)", TABLES["settings"]))
    assert "| <b>" in (tmp_path / "settings.md").read_text(encoding="utf-8")
