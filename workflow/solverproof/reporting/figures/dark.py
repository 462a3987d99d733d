"""Figures for dark pages: white becomes nearly black, and every hue stays.

It is what the page of a study does with `invert(.91) hue-rotate(180deg)` where a reader asks for
dark pages (W3C, Filter Effects Module Level 1). READMEs have no style sheets and need files.
"""

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

from solverproof.errors import InputError
from solverproof.files import write_atomically
from solverproof.reporting.figures.film import write_gif

INVERTED = 0.91
LUMINANCE = (0.213, 0.715, 0.072)  # of red, green and blue


def darken(drawn: Path, out: Path) -> None:
    """Write a drawn figure as it is on dark pages, atomically; the same gives the same bytes.

    Args:
        drawn: a PNG, or a GIF of any number of frames.
        out: a file of the same format.

    Raises:
        InputError: if the file is no such image, or cannot be read or written.
    """
    if out.suffix != drawn.suffix:
        raise InputError(f"{out}: of another format than {drawn.name}; write one of {drawn.suffix}")
    content = BytesIO()
    try:
        with Image.open(drawn, formats=("PNG", "GIF")) as image:
            if image.format == "GIF":
                frames, shown = [], []
                for frame in ImageSequence.Iterator(image):  # one object, which moves on
                    frames.append(_dark(frame))
                    shown.append(frame.info.get("duration", 0))
                write_gif(frames, shown, content)
            else:
                _dark(image).save(content, "PNG", dpi=image.info.get("dpi"))
    except (OSError, SyntaxError) as error:
        raise InputError(f"{drawn}: no PNG or GIF that can be read; draw it again") from error
    write_atomically(out, content.getvalue())


def dark_colors(colors: np.ndarray) -> np.ndarray:
    """What becomes of colours on a dark page.

    Args:
        colors: red, green and blue between 0 and 1, shape (..., 3).
    """
    inverted = INVERTED + (1 - 2 * INVERTED) * colors
    luminance = inverted @ np.array(LUMINANCE)
    # A hue turned by half is the mirror image at the grey of the same luminance.
    dark: np.ndarray = np.clip(2 * luminance[..., np.newaxis] - inverted, 0, 1)
    return dark


def _dark(image: Image.Image) -> Image.Image:
    colors = np.asarray(image.convert("RGB")) / 255
    return Image.fromarray(np.round(255 * dark_colors(colors)).astype(np.uint8))
