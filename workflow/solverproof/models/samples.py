"""Samples as inputs of a network: converted to floats one batch at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

HIGHEST = 255  # largest level of a pixel


@dataclass(frozen=True)
class Samples:
    """One part of a data set; images stay bytes, a quarter of the memory of floats.

    Attributes:
        x: inputs, shape (samples, channels, *spatial); floats, or uint8 levels of images.
        targets: labels, shape (samples,); or real values, shape (samples, outputs).
    """

    x: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.x)

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels, *spatial) of a sample."""
        return tuple(self.x.shape[1:])

    def inputs(self, index: Tensor | slice) -> Tensor:
        """Inputs of a network, shape (*index, channels, *spatial), with pixels in [0, 1]."""
        chosen = self.x[index]
        # The paper's range. Only the chosen samples are converted, so the data set stays bytes.
        return chosen / HIGHEST if chosen.dtype == torch.uint8 else chosen


def samples(
    data: Mapping[str, np.ndarray], part: Literal["train", "test"], device: torch.device
) -> Samples:
    """A part of a data set, on a device."""
    x, targets = (torch.from_numpy(data[f"{part}_{name}"]).to(device) for name in ("x", "y"))
    return Samples(x, targets)
