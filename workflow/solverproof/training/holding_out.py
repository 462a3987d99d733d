"""Training samples that a controller holds out, to test the model with at the end."""

from collections.abc import Mapping

import numpy as np

from solverproof.errors import InputError
from solverproof.models.devices import chosen_device
from solverproof.models.samples import Samples, samples
from solverproof.training.batches import run_seed
from solverproof.training.specifications import ControlledTraining

PARTS = ("train_x", "train_y")


def parted(
    spec: ControlledTraining, data: Mapping[str, np.ndarray]
) -> tuple[Mapping[str, np.ndarray], Samples | None]:
    """Data to train with, and samples that are held out, a random choice of the seed's; or none.

    Raises:
        InputError: if too few are held out for a test, or none is left to train with.
    """
    (seed,), of = spec.seeds, len(data["train_x"])
    count = spec.controller.held_out(classes=data["train_y"].dtype.kind != "f")
    if not count:
        return data, None
    if count >= of:
        raise InputError(f"hold_out: there are {of} training samples; write fewer, not {count}")
    order = np.random.default_rng(run_seed(spec.task, seed, "held_out")).permutation(of)
    held, rest = (
        {**data, **{part: data[part][np.sort(chosen)] for part in PARTS}}
        for chosen in (order[:count], order[count:])
    )
    return rest, samples(held, "train", chosen_device(spec.device))
