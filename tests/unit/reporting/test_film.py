"""Films in both formats against what their readers find in them."""

import sys
from io import BytesIO

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image, ImageSequence

from solverproof.errors import InputError
from solverproof.reporting.figures.film import Film, save_film, write_mp4
from solverproof.reporting.figures.style import save

av = pytest.importorskip("av")
SHADES, SECONDS = (0.1, 0.5, 0.9), (1.0, 0.25, 2.0)


@pytest.fixture
def film():
    frames = [Figure(figsize=(0.6, 0.4), dpi=100, facecolor=str(shade)) for shade in SHADES]
    for frame in frames:  # all have the palette of the first
        frame.figimage(np.linspace(0, 1, 60).repeat(10).reshape(60, 10).T, cmap="gray")
    return Film(frames, SECONDS)


def shade_of(image):
    return np.asarray(image.convert("RGB"))[:25].mean() / 255


def test_a_film_shows_each_frame_as_long_as_it_says_in_both_formats(film, tmp_path):
    paths = [tmp_path / "film.gif", tmp_path / "film.mp4"]
    save_film(film, paths)
    with Image.open(paths[0]) as gif:
        shown = [(shade_of(frame), frame.info["duration"]) for frame in ImageSequence.Iterator(gif)]
    assert [duration / 1000 for _, duration in shown] == [*SECONDS]
    assert [shade for shade, _ in shown] == pytest.approx(SHADES, abs=0.02)
    with av.open(paths[1]) as mp4:
        frames = [(shade_of(frame.to_image()), frame.time) for frame in mp4.decode(video=0)]
    # the last one is there twice, for it lasts until another begins
    assert [time for _, time in frames] == pytest.approx([0, 1, 1.25, 3.25])
    assert [shade for shade, _ in frames] == pytest.approx([*SHADES, SHADES[-1]], abs=0.02)


def test_the_same_film_gives_the_same_bytes(film, tmp_path):
    save_film(film, [tmp_path / "one.mp4", tmp_path / "other.mp4"])
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "other.mp4").read_bytes()


def test_thin_lines_stay_sharp():
    lines = np.full((40, 60, 3), 255, dtype=np.uint8)
    lines[:, ::10] = 0
    write_mp4([Image.fromarray(lines)], [500], out := BytesIO())
    with av.open(BytesIO(out.getvalue())) as mp4:
        frame = np.asarray(next(mp4.decode(video=0)).to_image()).astype(float)
    assert np.abs(frame - lines).mean() < 5


def test_without_the_encoder_one_line_says_how_it_is_had(film, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"\.mp4 needs PyAV; pip install 'solverproof\[study\]'"):
        save_film(film, [tmp_path / "a.gif", tmp_path / "a.mp4"])
    assert list(tmp_path.iterdir()) == []


def test_a_film_is_no_figure_and_a_figure_no_film(film, tmp_path):
    with pytest.raises(InputError, match=r"a\.png: films are \.gif or \.mp4; write one of these"):
        save_film(film, [tmp_path / "a.gif", tmp_path / "a.png"])
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match=r"a\.gif: figures are \.pdf or \.png; write one of these"):
        save(film.frames[0], [tmp_path / "a.gif"])
