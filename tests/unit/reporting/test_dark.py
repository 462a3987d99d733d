"""Figures on dark pages: colours and frames, and whether the README's are those published."""

import colorsys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageSequence

from solverproof.errors import InputError
from solverproof.reporting.figures.dark import INVERTED, dark_colors, darken

DOCS = Path(__file__).parents[3] / "docs"
parts = st.floats(0, 1)


def frames(path):
    with Image.open(path) as image:
        return [
            (np.asarray(frame.convert("RGB")) / 255, frame.info.get("duration"))
            for frame in ImageSequence.Iterator(image)
        ]


@given(parts)
def test_greys_stay_grey_and_change_places(grey):
    dark = dark_colors(np.full(3, grey))
    assert dark == pytest.approx(INVERTED - (2 * INVERTED - 1) * grey)


@given(parts, parts, parts)
def test_the_brighter_becomes_the_darker_and_hues_stay(red, green, blue):
    color = np.array([red, green, blue])
    dark = dark_colors(color)
    assert ((dark >= 0) & (dark <= 1)).all()
    if np.ptp(color) > 0.05 and dark.min() > 0 and dark.max() < 1:  # of no grey, and not cut
        turned = colorsys.rgb_to_hsv(*dark)[0] - colorsys.rgb_to_hsv(*color)[0]
        assert min(turned % 1, -turned % 1) < 1e-6


def test_a_film_keeps_its_frames_and_their_times(tmp_path):
    colors = np.array([[255, 255, 255], [0, 0, 0], [213, 94, 0]], np.uint8)
    first, *others = (Image.fromarray(np.tile(np.roll(colors, i, 0), (4, 4, 1))) for i in range(3))
    first.save(tmp_path / "a.gif", save_all=True, append_images=others, duration=[30, 20, 500])
    darken(tmp_path / "a.gif", tmp_path / "b.gif")
    light, dark = frames(tmp_path / "a.gif"), frames(tmp_path / "b.gif")
    assert [shown for _, shown in dark] == [30, 20, 500]
    for (before, _), (after, _) in zip(light, dark, strict=True):
        assert after == pytest.approx(dark_colors(before), abs=3 / 255)  # by a palette


def test_a_figure_keeps_its_size_and_the_same_gives_the_same_bytes(tmp_path):
    Image.new("RGBA", (30, 20), (255, 255, 255, 255)).save(tmp_path / "a.png", dpi=(300, 300))
    for name in ("b.png", "c.png"):
        darken(tmp_path / "a.png", tmp_path / name)
    with Image.open(tmp_path / "b.png") as dark:
        assert dark.size == (30, 20)
        assert dark.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "c.png").read_bytes()


@pytest.mark.parametrize("content", [b"", b"no image", b"GIF89a", None])
def test_what_is_no_image_is_refused_in_one_line(tmp_path, content):
    if content is not None:
        (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.png: no PNG or GIF that can be read; draw it again"):
        darken(tmp_path / "a.png", tmp_path / "b.png")
    assert not (tmp_path / "b.png").exists()


def test_another_format_is_refused_in_one_line(tmp_path):
    Image.new("RGB", (3, 3)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"b\.pdf: of another format than a\.png; write one of"):
        darken(tmp_path / "a.png", tmp_path / "b.pdf")


def test_an_image_without_a_time_is_darkened_as_well(tmp_path):
    Image.new("RGB", (3, 3), "white").save(tmp_path / "a.gif")
    darken(tmp_path / "a.gif", tmp_path / "b.gif")
    ((dark, _),) = frames(tmp_path / "b.gif")
    assert dark == pytest.approx(1 - INVERTED, abs=1 / 255)


@pytest.mark.parametrize("file", sorted((DOCS / "dark").iterdir()), ids=lambda file: file.name)
def test_the_dark_figures_of_the_readme_are_those_that_are_published(file, tmp_path):
    darken(DOCS / "results" / "default" / "figures" / file.name, tmp_path / file.name)
    for (now, shown), (was, once) in zip(frames(tmp_path / file.name), frames(file), strict=True):
        assert shown == once
        assert (now == was).all()
