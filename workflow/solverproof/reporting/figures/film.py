"""Films: figures of one size that follow each other, as GIF and as MP4."""

from collections.abc import Sequence
from fractions import Fraction
from io import BytesIO
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from solverproof.errors import InputError
from solverproof.files import write_atomically

GIF_COLORS = 128
QUALITY = "20"  # constant rate factor of x264: thin lines stay sharp


class Film(NamedTuple):
    """Figures of one size that follow each other, and for how many seconds each is shown."""

    frames: Sequence[Figure]
    seconds: Sequence[float]


def save_film(film: Film, out: Sequence[Path]) -> None:
    """Save a film to each file atomically; the same gives the same bytes.

    Raises:
        InputError: if it is to be of another format, or a file cannot be written.
    """
    formats = {".gif": write_gif, ".mp4": write_mp4}
    for path in out:
        if path.suffix not in formats:
            raise InputError(f"{path}: films are .gif or .mp4; write one of these")
    images = []
    for frame in film.frames:
        frame.savefig(drawn := BytesIO(), format="png", dpi="figure")
        images.append(Image.open(drawn).convert("RGB"))
    milliseconds = [round(1000 * seconds) for seconds in film.seconds]
    films = {path: BytesIO() for path in out}
    for path, content in films.items():
        formats[path.suffix](images, milliseconds, content)
    for path, content in films.items():
        write_atomically(path, content.getvalue())


def write_gif(images: Sequence[Image.Image], milliseconds: Sequence[int], out: BytesIO) -> None:
    """Write images in RGB that follow each other, and for how long each is shown, for ever."""
    # One palette, or colours would flicker.
    first = images[0].quantize(GIF_COLORS)
    others = [image.quantize(palette=first, dither=Image.Dither.NONE) for image in images[1:]]
    first.save(
        out, "GIF", save_all=True, append_images=others, duration=[*milliseconds], loop=0,
        optimize=True,
    )  # fmt: skip


def write_mp4(images: Sequence[Image.Image], milliseconds: Sequence[int], out: BytesIO) -> None:
    """Write images in RGB of even width and height, and for how long each is shown, as H.264.

    Raises:
        InputError: if the encoder, which is not the library's but the study's, is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise InputError("a film as .mp4 needs PyAV; pip install 'solverproof[study]'") from error

    with av.open(out, "w", format="mp4") as film:
        options = {"crf": QUALITY, "threads": "1"}  # more threads may give other bytes
        video = film.add_stream("libx264", options=options)
        video.width, video.height = images[0].size
        video.pix_fmt = "yuv420p"  # which every player knows
        video.time_base = video.codec_context.time_base = Fraction(1, 1000)
        # A frame lasts until the next begins, so the last one is there twice.
        starts = accumulate(milliseconds, initial=0)
        for start, image in zip(starts, [*images, images[-1]], strict=True):
            frame = av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")
            frame.pts, frame.time_base = start, video.time_base
            film.mux(video.encode(frame))
        film.mux(video.encode())
