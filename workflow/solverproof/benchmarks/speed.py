"""How fast training is, against its floor and against plain torchdiffeq, in one run."""

import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  the name all of PyTorch's documentation uses
from torch import Tensor, nn
from torchdiffeq import odeint

from solverproof.datasets.spheres import Spheres, spheres
from solverproof.models.networks.conv import Conv
from solverproof.models.specifications import Gradient, Model
from solverproof.ode.solvers import SOLVERS, Setting
from solverproof.training.loop import train
from solverproof.training.specifications import Protocol, Training

CHANNELS = 32
ITERATIONS = 20  # of each measurement

SPHERES_BATCH, DIMENSION, SPHERES_STEPS = 128, 2, 64
SEEDS = 5  # the block size of the default study

IMAGE = (3, 16, 16)  # CIFAR-10 pooled by 2, as in config/cifar10-cpu.yaml
IMAGES_BATCH, IMAGES_STEPS = 64, 4

Variant = tuple[Callable[[], object], int]  # what is measured, and the number of seeds it trains


def report(*, repeats: int) -> str:
    """Milliseconds per seed and iteration, as Markdown tables.

    The tables are for sphere2 (Euler, N = 64) and images (Euler, N = 4). The variants are measured
    in turn, `repeats` times, so that a busy moment of the machine affects all of them. The ratios
    are ratios of medians.

    Args:
        repeats: number of measurements of each variant.
    """
    return "\n\n".join([_spheres_report(repeats), _images_report(repeats)])


def _spheres_report(repeats: int) -> str:
    data = spheres(dimension=DIMENSION, train=2000, test=4, seed=0)
    width = CHANNELS * DIMENSION
    ours = partial(train_briefly, data, steps=SPHERES_STEPS, batch=SPHERES_BATCH)
    ways: dict[str, Variant] = {
        f"this code, block of {SEEDS} seeds": (partial(ours, seeds=SEEDS), SEEDS),
        "this code, one seed": (ours, 1),
        "… with recomputation": (partial(ours, gradient="recomputation"), 1),
        "… with the adjoint equation": (partial(ours, gradient="adjoint"), 1),
        "plain torchdiffeq with Conv1d, one seed": (lambda: _train_plainly(data), 1),
        f"floor: the {width}x{width} matrix products alone, {SEEDS} seeds": (_multiply, SEEDS),
    }
    table, (block, one, again, adjoint, plain, floor) = _table(ways, repeats)
    title = (
        f"sphere2, Euler, N = {SPHERES_STEPS}, batch {SPHERES_BATCH}, {CHANNELS} channels, "
        "float32, one thread"
    )
    ratios = (
        f"this code: {block / floor:.1f} x the floor, "
        f"{plain / block:.1f} x as fast as plain torchdiffeq; of one seed recomputation takes "
        f"{again / one:.1f} x, the adjoint equation {adjoint / one:.1f} x the time"
    )
    return f"{title}\n\n{table}\n\n{ratios}"


def _images_report(repeats: int) -> str:
    data = images()
    ways: dict[str, Variant] = {
        "this code": (partial(train_briefly, data, steps=IMAGES_STEPS, batch=IMAGES_BATCH), 1),
        "floor: the convolutions alone, forward and backward": (_convolve, 1),
    }
    table, (ours, floor) = _table(ways, repeats)
    size = "x".join(map(str, IMAGE))
    title = (
        f"images {size}, Euler, N = {IMAGES_STEPS}, batch {IMAGES_BATCH}, {CHANNELS} channels, "
        "float32, one thread"
    )
    return (
        f"{title}\n\n{table}\n\nthis code: {floor / ours:.2f} of the rate of the convolutions alone"
    )


def images() -> dict[str, np.ndarray]:
    """A data set of random pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (2000, *IMAGE), dtype=np.uint8)
    return {"train_x": pixels, "train_y": np.arange(2000) % 10}


def _table(ways: Mapping[str, Variant], repeats: int) -> tuple[str, list[float]]:
    """A Markdown table of milliseconds per seed and iteration, and their medians."""
    measured = _measure([way for way, _ in ways.values()], repeats)
    times = [
        [1e3 * s / ITERATIONS / seeds for s in seconds]
        for seconds, (_, seeds) in zip(measured, ways.values(), strict=True)
    ]
    rows = [
        f"| {way} | {statistics.median(t):.1f} | {min(t):.1f} |"
        for way, t in zip(ways, times, strict=True)
    ]
    head = ["| way | ms per seed and iteration, median | fastest |", "|---|---:|---:|"]
    return "\n".join(head + rows), [statistics.median(t) for t in times]


def _measure(ways: list[Callable[[], object]], repeats: int) -> list[list[float]]:
    """Seconds of each call, taken in turns, after one round to warm up."""
    seconds: list[list[float]] = [[] for _ in ways]
    for _ in range(repeats + 1):
        for way, times in zip(ways, seconds, strict=True):
            started = time.perf_counter()
            way()
            times.append(time.perf_counter() - started)
    return [times[1:] for times in seconds]


def train_briefly(
    data: Mapping[str, np.ndarray],
    *,
    steps: int,
    batch: int,
    seeds: int = 1,
    gradient: Gradient = "backpropagation",
    iterations: int = ITERATIONS,
) -> None:
    """The study's own training, with Euler and the benchmark's field."""
    protocol = Protocol(
        iterations=iterations,
        batch=batch,
        learning_rate=1e-4,
        gradient=gradient,
        history_every=iterations,
    )
    setting = Setting(SOLVERS["euler"], steps=steps)
    spec = Training(
        task="bench",
        # A specification needs one; training uses the arrays that are passed with it.
        data=Spheres(dimension=DIMENSION, train=2000, test=4, seed=0),
        model=Model(Conv(CHANNELS), outputs=int(data["train_y"].max()) + 1),
        protocol=protocol,
        seeds=tuple(range(seeds)),
    )
    train(spec, data, lambda _: setting)


def _train_plainly(data: dict[str, np.ndarray]) -> None:
    """The straightforward way: modules, odeint, one seed."""
    x, y = torch.from_numpy(data["train_x"]), torch.from_numpy(data["train_y"])
    field = nn.Sequential(
        nn.Conv1d(1, CHANNELS, 1),
        nn.ReLU(),
        nn.Conv1d(CHANNELS, CHANNELS, 3, padding=1),
        nn.ReLU(),
        nn.Conv1d(CHANNELS, 1, 1),
    )
    head = nn.Linear(DIMENSION, 2)
    optimizer = torch.optim.Adam([*field.parameters(), *head.parameters()], lr=1e-4)
    times, options = torch.tensor([0.0, 1.0]), {"step_size": 1 / SPHERES_STEPS}
    for _ in range(ITERATIONS):
        index = torch.randint(len(x), (SPHERES_BATCH,))
        state = odeint(lambda _, z: field(z), x[index], times, method="euler", options=options)[-1]
        optimizer.zero_grad()
        F.cross_entropy(head(state.flatten(1)), y[index]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def _multiply() -> None:
    """The field's large matrix products: one forward and two backward per step."""
    width = CHANNELS * DIMENSION
    activations, weights = torch.ones(SEEDS, SPHERES_BATCH, width), torch.ones(SEEDS, width, width)
    for _ in range(ITERATIONS * SPHERES_STEPS):
        torch.bmm(activations, weights)
        torch.bmm(activations, weights.mT)
        torch.bmm(activations.mT, activations)


def _convolve() -> None:
    """The field's convolutions, forward and backward, in the fastest layout, channels last."""
    outer = IMAGE[0]
    state = (
        torch.ones(IMAGES_BATCH, *IMAGE)
        .contiguous(memory_format=torch.channels_last)
        .requires_grad_()
    )
    layers = [(outer, CHANNELS, 1), (CHANNELS, CHANNELS, 3), (CHANNELS, outer, 1)]
    weights = [
        torch.ones(outputs, inputs, width, width, requires_grad=True)
        for inputs, outputs, width in layers
    ]
    biases = [torch.ones(len(weight), requires_grad=True) for weight in weights]

    def field() -> Tensor:
        hidden = F.conv2d(state, weights[0], biases[0])
        hidden = F.conv2d(hidden, weights[1], biases[1], padding=1)
        return F.conv2d(hidden, weights[2], biases[2])

    for _ in range(ITERATIONS):
        velocities = [field() for _ in range(IMAGES_STEPS)]
        torch.autograd.backward(velocities, [torch.ones_like(v) for v in velocities])
