"""Fashion-MNIST: grey images of ten kinds of clothing, in the file format of MNIST."""

from dataclasses import dataclass
from typing import ClassVar

from solverproof.datasets.mnist import Mnist


@dataclass(frozen=True, kw_only=True)
class FashionMnist(Mnist):
    """The 28x28 images of Fashion-MNIST.

    Source: Xiao, Rasul, Vollgraf 2017 (arXiv 1708.07747).
    """

    family: ClassVar[str] = "fashion_mnist"
