"""Zeros appended to inputs, without PyTorch: what planning knows of it."""


def augmented(sample: tuple[int, ...], zeros: int) -> tuple[int, ...]:
    """The shape (channels, *spatial) of a sample with zeros appended."""
    axis = appended_axis(sample)
    return tuple(size + zeros * (i == axis) for i, size in enumerate(sample))


def appended_axis(sample: tuple[int, ...]) -> int:
    """The axis of a sample that is made longer: the features of a line, the channels of images."""
    return 1 if len(sample) == 2 and sample[0] == 1 else 0
