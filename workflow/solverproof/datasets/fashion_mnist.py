"""Fashion-MNIST: grey images of ten kinds of clothing, made and filed as those of MNIST are.

Source: Xiao, Rasul, Vollgraf 2017 (arXiv 1708.07747).
"""

from solverproof.datasets.mnist import mnist as fashion_mnist

__all__ = ["fashion_mnist"]
