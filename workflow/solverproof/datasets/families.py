"""The families of data sets. This list is not part of a job's identity, a family's code is."""

FAMILIES = {
    "spheres": "solverproof.datasets.spheres:Spheres",
    "minima": "solverproof.datasets.minima:Minima",
    "digits": "solverproof.datasets.digits:Digits",
    "cifar10": "solverproof.datasets.cifar10:Cifar10",
    "mnist": "solverproof.datasets.mnist:Mnist",
    "fashion_mnist": "solverproof.datasets.fashion_mnist:FashionMnist",
    "file": "solverproof.datasets.user_file:UserFile",
    "module": "solverproof.datasets.user_class:UserData",
}
