"""Data sets of the user's own, and images, damaged or of another kind."""

import gzip
import hashlib
import io
import json
import struct
import tarfile
import zipfile

import numpy as np

from tests.fuzz.attempt import Case
from tests.fuzz.values import PLAIN, TEXTS, spoilt

CELLS = [
    "", " ", "1", "-1", "1e400", "nan", "NaN", "NA", "inf", "0x10", "1_000", "1,5", '"', '"a', "'", "a\x00b", "é", "train",
    "test", "u", "v", "w", "1.0", "1.5", "1e-400", "9" * 400, "x" * 100_000, "True", "2001-01-01", "\u2028", "\r", "\n", "#",
    "=1+1", "１", "None", "null", "-0", "+5", "1j", "y.1", "Unnamed: 0",
]  # fmt: skip
NAMES = [
    "a",
    "b",
    "y",
    "y.1",
    "x",
    "",
    " ",
    "split",
    "a\nb",
    '"',
    "é",
    "Unnamed: 0",
    "0",
    "a" * 1000,
    "\ufeffa",
    "y ",
    "\u2028",
]
DTYPES = [
    "f8",
    "f4",
    "f2",
    "i8",
    "u1",
    "?",
    "c8",
    "U3",
    "S3",
    "M8[s]",
    "m8[s]",
    "V4",
    ">f8",
    "g",
    "i1",
    "u8",
]
SHAPES = [
    (),
    (0,),
    (8,),
    (8, 2),
    (8, 1),
    (8, 0),
    (0, 2),
    (8, 4, 4),
    (8, 1, 4, 4),
    (8, 1, 1, 2, 2),
    (7, 2),
    (1, 2),
    (8, 2, 0),
]
PLAIN_TASK = {
    "select": {"tasks": ["mine"], "solvers": ["euler"], "seeds": [0]},
    "steps": {"mine": {"euler": [2]}},
    "networks": {"net": {"family": "mlp", "widths": [4]}},
    "protocols": {"short": {"iterations": 5, "batch": 4, "learning_rate": 0.1}},
}


def tables(draw):
    """A CSV file, and keys of its data set."""
    names = ["a", "b", "y", "split"][: draw.choice([3, 3, 4])]
    if draw.random() < 0.3:
        names[draw.randrange(len(names))] = draw.choice(NAMES)
    rows = [
        [
            str(i),
            f"{i * i}.5",
            "uvw"[i % draw.choice([1, 2, 2, 2, 3])],
            "train" if i % 3 else "test",
        ][: len(names)]
        for i in range(draw.choice([0, 1, 3, 12, 12, 12]))
    ]
    for _ in range(draw.choice([0, 1, 1, 2])):
        if rows:
            row = draw.choice(rows)
            row[draw.randrange(len(row))] = draw.choice(CELLS)
    if rows and draw.random() < 0.1:
        draw.choice(rows).append("more")
    if rows and draw.random() < 0.1:
        draw.choice(rows).pop()
    text = "\n".join([",".join(names), *map(",".join, rows), ""]).encode("utf-8", "surrogatepass")
    if draw.random() < 0.3:
        text = spoilt(text, draw)
    keys = {
        "classes": draw.choice([2, 2, 2, 3, 1000]),
        "label": draw.choice(["y", "y", "y", "a", "none", ""]),
    }
    if draw.random() < 0.3:
        keys = {
            "targets": draw.choice([["y"], ["a"], ["a", "b"], ["a", "b", "y"], ["y", "none"], [""]])
        }
    if len(names) == 4 or draw.random() < 0.1:
        keys["split"] = draw.choice(["split", "split", "split", "y", "a", "none"])
    return _task("data.csv", text, keys, draw)


def archives(draw):
    """An .npz file, and keys of its data set."""
    kind = draw.random()
    keys = {"classes": 2} if draw.random() < 0.7 else {"values": draw.choice([1, 2, 3])}
    return (
        _task("data.npz", archive(draw), keys, draw)
        if kind < 0.97
        else _task("data.npz", draw.choice(["fifo", "folder", "/dev/zero", "nowhere"]), keys, draw)
    )


def archive(draw):
    """An .npz file, perhaps damaged."""
    whole = draw.random() < 0.7
    names = ["x", "y"] if whole else ["train_x", "train_y", "test_x", "test_y"]
    members = {name: _npy(name, draw) for name in names}
    if draw.random() < 0.1:
        members.pop(draw.choice(names))
    if draw.random() < 0.1:
        members[draw.choice(["z", "x", "../x", " ", "a" * 1000, "x.npy", "é\u2028"])] = _npy(
            "x", draw
        )
    content = io.BytesIO()
    with zipfile.ZipFile(
        content, "w", draw.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    ) as file:
        for name, member in members.items():
            file.writestr(f"{name}.npy" if draw.random() < 0.97 else name, member)
    made = content.getvalue()
    if draw.random() < 0.1:  # as if encrypted
        made = made.replace(b"PK\x03\x04\x14\x00\x00", b"PK\x03\x04\x14\x00\x01").replace(
            b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"
        )
    return spoilt(made, draw) if draw.random() < 0.3 else made


def _npy(name, draw):
    """The bytes of a .npy file."""
    labels = name.endswith("y")
    array = (
        np.arange(8) % 2
        if labels
        else np.arange(16.0).reshape(8, 2) + (100 if "test" in name else 0)
    )
    if draw.random() < 0.25:
        shape, dtype = draw.choice(SHAPES), draw.choice(DTYPES)
        array = np.resize(np.frombuffer(draw.randbytes(4096), "u1"), shape).astype(
            dtype if dtype != "V4" else "u4"
        )
    if draw.random() < 0.1 and array.size:
        array = array.astype(float)
        array.flat[0] = draw.choice([np.nan, np.inf, 1e300, -1e39, 1e-320, 0.5, -0.0])
    content = io.BytesIO()
    np.lib.format.write_array(content, array, version=draw.choice([(1, 0), (1, 0), (2, 0), (3, 0)]))
    made = content.getvalue()
    if draw.random() < 0.1:
        made = _header(draw) + made[-64:]
    return spoilt(made, draw) if draw.random() < 0.1 else made


def _header(draw):
    shape = draw.choice(
        [
            "(1000000000,)",
            "(10**9, 8)",
            "(-1,)",
            "(8, 2)",
            "(1e3,)",
            "('a',)",
            "8",
            "(2**70,)",
            "(True,)",
            "()",
            "(99999999999999999999,)",
        ]
    )
    descr = draw.choice(
        [
            "'<f8'",
            "'|O'",
            "'<U1000000000'",
            "[('a', '<f8')]",
            "'<f16'",
            "'x'",
            "None",
            "('<f8', (2,))",
            "'<V0'",
        ]
    )
    text = f"{{'descr': {descr}, 'fortran_order': {draw.choice(['False', 'True', '1', 'None'])}, 'shape': {shape}, }}"
    text = draw.choice(
        [text, text, "__import__('os').system('x')", "{" * 500, "", "{}", "[]", text + " " * 20_000]
    )
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) + 1) + text.encode() + b"\n"


def images(draw):
    """Files of images with their own checksums."""
    family = draw.choice(["mnist", "fashion_mnist", "cifar10"])
    if family == "cifar10":
        files = {"cifar-10-binary.tar.gz": _cifar(draw)}
    else:
        files = {
            f"{part}-{kind}-ubyte.gz": _idx(draw, 8, images=kind.startswith("images"))
            for part in ("train", "t10k")
            for kind in ("images-idx3", "labels-idx1")
        }
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    keys = {
        "family": family,
        "train": draw.choice([4, 8, 9]),
        "test": 4,
        "pool": draw.choice([1, 2, 4]),
        "sha256": sums,
    }
    folder = {
        "mnist": "downloads/mnist",
        "fashion_mnist": "downloads/fashion-mnist",
        "cifar10": "downloads",
    }[family]
    config = {
        **PLAIN_TASK,
        "tasks": {"mine": {"data": keys, "network": "net", "protocol": "short"}},
    }
    beside = {f"{folder}/{name}": content for name, content in files.items()}
    if draw.random() < 0.05:
        beside[draw.choice(list(beside))] = draw.choice(["folder", "fifo", "/dev/zero", "nowhere"])
    return Case(
        ["check", "a.yaml"], {"a.yaml": json.dumps(config).encode(), **beside}, prepare=True
    )


def _idx(draw, count, *, images):
    shape = (count, 28, 28) if images else (count,)
    claimed = list(shape)
    if draw.random() < 0.2:
        claimed[draw.randrange(len(shape))] = draw.choice([0, 1, 7, 9, 2**31, 2**32 - 1])
    content = draw.randbytes(28 * 28 * count) if images else bytes(i % 10 for i in range(count))
    if draw.random() < 0.2:
        content = content[: draw.randrange(len(content))]
    made = bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *claimed) + content
    if draw.random() < 0.2:
        made = spoilt(made, draw)
    made = gzip.compress(made, 1)
    return spoilt(made, draw) if draw.random() < 0.2 else made


def _cifar(draw):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz", compresslevel=1) as tar:
        for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
            rows = b"".join(bytes([draw.choice([0, 1, 9, 9, 9])]) + bytes(3072) for _ in range(2))
            if draw.random() < 0.1:
                rows = draw.choice([b"", rows[:-1], rows + b"x", b"\x0a" + rows[1:]])
            info = tarfile.TarInfo(
                draw.choice([f"cifar-10-batches-bin/{name}.bin"] * 20 + ["../x", "/x", "a" * 300])
            )
            info.size = len(rows)
            if draw.random() < 0.05:
                info.type, info.size, info.linkname = (
                    draw.choice(
                        [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
                    ),
                    0,
                    "/etc/passwd",
                )
            tar.addfile(info, io.BytesIO(rows))
    made = content.getvalue()
    return spoilt(made, draw) if draw.random() < 0.3 else made


def _task(name, content, keys, draw):
    keys = {"family": "file", "path": name, **keys}
    if draw.random() < 0.3:
        keys["scale"] = "standard"
    if draw.random() < 0.2:
        keys["test"] = draw.choice([0.5, 0.01, 0.99, 1e-300, 0.9999999999999999])
    if draw.random() < 0.05:
        keys[draw.choice(["sha256", "label", "split", "targets", "values", "path"])] = draw.choice(
            [*TEXTS, *PLAIN]
        )
    config = {
        **PLAIN_TASK,
        "tasks": {"mine": {"data": keys, "network": "net", "protocol": "short"}},
    }
    if "classes" not in keys:
        config["protocols"] = {
            "short": {**PLAIN_TASK["protocols"]["short"], "loss": "mean_squared_error"}
        }
    text = json.dumps(config).encode()
    return Case(["check", "a.yaml"], {"a.yaml": text, name: content}, prepare=True)
