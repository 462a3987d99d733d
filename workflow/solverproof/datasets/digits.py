"""The optical digits that scikit-learn carries: real images without a download."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def digits(*, test: int, seed: int) -> dict[str, np.ndarray]:
    """Split the 1,797 grey images of 8x8 pixels into training and test set, by class.

    Pixels are scaled from 0 … 16 to [0, 1]; samples have shape (1, 8, 8).

    Source: Alpaydin, Kaynak 1998, UCI "Optical Recognition of Handwritten Digits" (test part).
    """
    bunch = load_digits()
    x = (bunch.images / 16).astype(np.float32)[:, None]
    y = bunch.target.astype(np.int64)
    train_x, test_x, train_y, test_y = train_test_split(x, y, test_size=test, stratify=y, random_state=seed)
    return {"train_x": train_x, "train_y": train_y, "test_x": test_x, "test_y": test_y}
