"""Calls of the command line: audits of models, weights, records of audits, and words of any kind."""

import functools
import io
import json
import zipfile

import numpy as np
import torch
from safetensors.torch import save

from tests.fuzz.attempt import Case
from tests.fuzz.data import archive
from tests.fuzz.values import NUMBERS, PLAIN, TEXTS, spoilt

VERBS = [
    "prepare", "train", "adapt", "evaluate", "examine", "trace", "tabulate", "gather", "comparison", "plot", "check",
    "solvers", "scaling", "audit", "compare", "keys",
]  # fmt: skip
WORDS = [
    *TEXTS, *map(str, NUMBERS), "--spec", "--data", "--out", "--weights", "--run", "--history", "--checkpoint", "--help",
    "--version", "--solver", "--steps", "--tolerance", "--interval", "--labels", "--head", "--accept", "--trained", "flow",
    "{}", "[]", '{"family": "spheres"}', "a.yaml", "folder", "fifo", "zero", "nothing", "data.npz", "--", "-h", "@a.yaml",
]  # fmt: skip
STRANGE = {
    "folder": "folder",
    "fifo": "fifo",
    "zero": "/dev/zero",
    "null": "/dev/null",
    "loop": "loop",
    "nothing": "nowhere",
}


def audits(draw):
    """An audit, with something wrong in one or two places mostly."""
    options = {
        "--data": ["data.npz"], "--solver": ["euler"], "--steps": ["4"], "--weights": ["weights.safetensors"],
        "--interval": ["0", "1"],
    }  # fmt: skip
    build = draw.choice(["mine:Field", "mine:Model", "mine:Model"])
    if draw.random() < 0.3:
        options["--weights"] = ["weights.pt"]
    if draw.random() < 0.5:
        del options["--weights"]
    words = {
        "--solver": [
            "euler",
            "dopri5",
            "rk4",
            "",
            "Euler",
            "scipy_solver",
            "implicit_adams",
            "x" * 1000,
            "a\nb",
        ],
        "--steps": [
            "0",
            "-1",
            "1.5",
            "nan",
            "inf",
            "1e3",
            "9" * 400,
            "x",
            "",
            "1_000",
            "٣",
            "0x10",
        ],
        "--tolerance": ["0", "-1", "0.1", "nan", "inf", "1e-400", "x", "1e-30"],
        "--interval": ["0", "nan", "inf", "1e300", "-1", "x", "1e-300"],
        "--head": [
            "mine:head",
            "mine:failing",
            "mine:number",
            "mine:nobody",
            "nowhere:x",
            "x",
            "",
            ":",
            "a.b",
            ".:x",
            "mine:",
        ],
        "--labels": ["y", "x", "z", "", "\u2028"],
        "--accept": ["0", "1", "0.5", "nan", "-1", "x", "1e-400"],
        "--trained": ["flow", "euler", "4", "x", "", "nan", "euler 4"],
        "--confidence": ["0", "1", "0.9", "nan", "x", "0.9999999999999999"],
        "--batch-size": ["0", "-1", "1", "4", "x", "9" * 30],
        "--device": ["cpu", "cuda", "x", "", "meta", "cpu:7", "mps", "\u2028"],
        "--compare": [
            "solverproof:relative_error",
            "mine:head",
            "mine:failing",
            "mine:number",
            "x",
            "",
        ],
        "--weights": ["data.npz", *STRANGE, "a\nb", "", "x.safetensors"],
        "--data": ["weights.safetensors", *STRANGE, "", "a\u2028b"],
        "--out": ["out", "folder", "fifo", "data.npz", "", "a/b/c", "x" * 300, "null/x"],
    }
    for _ in range(draw.choice([0, 1, 1, 2])):
        name = draw.choice(list(words))
        options[name] = draw.choices(
            words[name], k={"--interval": 2, "--trained": draw.choice([1, 2, 3])}.get(name, 1)
        )
        if name == "--tolerance" and draw.random() < 0.7:
            options["--solver"] = ["dopri5"]
            options.pop("--steps", None)
    if draw.random() < 0.1:
        build = draw.choice(
            [
                "mine:nothing",
                "mine:failing",
                "mine:number",
                "mine:nobody",
                "mine:head",
                "nowhere:x",
                "x",
                "",
                ":",
                "a:b:c",
                "os:getcwd",
                ".:x",
                "mine:",
                "builtins:dict",
            ]
        )
    if draw.random() < 0.05:
        options.pop(draw.choice(list(options)))
    arguments = [
        "audit",
        build,
        "--no-candidates",
        *(word for name, values in options.items() for word in (name, *values)),
    ]
    good = draw.random() < 0.6
    files = {"data.npz": _inputs() if good else archive(draw)}
    for name, make in {"weights.safetensors": _safetensors, "weights.pt": _pickled}.items():
        if name in arguments:
            files[name] = make(draw)
    files |= {
        name: what
        for name, what in STRANGE.items()
        if any(name in a for a in arguments) and name != "nothing"
    }
    return Case(arguments, files)


@functools.cache
def _inputs():
    content = io.BytesIO()
    np.savez(
        content,
        x=np.ones((4, 2), np.float32) * np.arange(4, dtype=np.float32)[:, None],
        y=np.arange(4) % 3,
    )
    return content.getvalue()


def _state(draw):
    names = draw.choice([["linear"], ["field", "head"], ["field"]])
    state = {}
    for name in names:
        rows = 3 if name == "head" else 2
        state |= {f"{name}.weight": torch.ones(rows, 2) / 4, f"{name}.bias": torch.zeros(rows)}
    if draw.random() < 0.3:
        key = draw.choice(list(state))
        state[key] = draw.choice([
            torch.full((2, 2), torch.nan), torch.zeros(3, 3), torch.zeros(0), torch.tensor(1), torch.zeros(2, 2, dtype=torch.int64),
            torch.zeros(2, 2, dtype=torch.complex64), torch.zeros(2, 2, dtype=torch.bfloat16), torch.full((2, 2), 1e38),
        ])  # fmt: skip
    return state


def _safetensors(draw):
    content = save(_state(draw))
    if draw.random() < 0.2:
        header = draw.choice([
            b"{}", b"[]", b"x", b'{"a":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}',
            b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', b'{"a":{"dtype":"X","shape":[1],"data_offsets":[0,4]}}',
            b"{" * 5000, b'{"__metadata__":{"a":1}}', b'{"__metadata__":{"a":"' + b"x" * 100_000 + b'"}}',
        ])  # fmt: skip
        content = (
            draw.choice([len(header), 2**40, 2**63, 0]).to_bytes(8, "little") + header + b"\0" * 4
        )
    return spoilt(content, draw) if draw.random() < 0.5 else content


def _pickled(draw):
    made = io.BytesIO()
    what = draw.choice(
        [
            _state(draw),
            _state(draw),
            [1],
            3,
            "x",
            None,
            {1: 2},
            {"a": "b"},
            {"linear.weight": 3, "linear.bias": "x"},
            torch.zeros(2),
        ]
    )
    torch.save(what, made)
    content = made.getvalue()
    kind = draw.random()
    if kind < 0.15:
        return draw.choice(
            [
                b"cos\nsystem\n(S'x'\ntR.",
                b"\x80\x02.",
                b".",
                b"",
                b"\x80\x04\x95",
                b"I" + b"9" * 5000 + b"\n.",
                b"(" * 100_000,
            ]
        )
    if kind < 0.3:
        archived = io.BytesIO()
        with zipfile.ZipFile(archived, "w") as file:
            file.writestr("archive/data.pkl", draw.choice([b"cos\nsystem\n(S'x'\ntR.", b"", b"."]))
            file.writestr("archive/version", b"3\n")
        return archived.getvalue()
    return spoilt(content, draw) if kind < 0.7 else content


RECORD = {
    "format": 1, "verdict": "PASS", "kind": "ode", "reasons": ["a"], "deployed": {"solver": "euler", "steps": 4, "tolerance": None},
    "trained": None, "judged": "predictions", "accept": 0.01, "accepted_share": 0.01, "confidence": 0.95, "samples": 4,
    "disagreement": 0.0, "disagreement_interval": [0.0, 0.5], "measures": {},
    "settings": [{"solver": "rk4", "steps": 2, "tolerance": None, "disagreement": 0.0, "disagreement_low": 0.0,
                  "disagreement_high": 0.5, "safe": True}],
    "advice": None, "provenance": {},
}  # fmt: skip


def records(draw):
    """Two records of audits to compare."""
    files = {}
    for name in ("old.json", "new.json"):
        content = dict(RECORD)
        if draw.random() < 0.6:
            content[draw.choice(list(content))] = draw.choice(draw.choice([PLAIN, NUMBERS, TEXTS]))
        if draw.random() < 0.1:
            del content[draw.choice(list(content))]
        text = json.dumps(content).encode("utf-8", "surrogatepass")
        if draw.random() < 0.2:
            text = draw.choice(
                [
                    b"[" * 5000,
                    b"{}",
                    b"[]",
                    b"",
                    b"1",
                    b'"x"',
                    b"NaN",
                    b"9" * 5000,
                    b"\xff",
                    spoilt(text, draw),
                    spoilt(text, draw),
                ]
            )
        files[name] = text
    if draw.random() < 0.05:
        files["old.json"] = draw.choice(["fifo", "folder", "/dev/zero", "nowhere"])
    return Case(["compare", "old.json", "new.json"], files)


def words(draw):
    """Any words."""
    arguments = [draw.choice(VERBS), *draw.choices(WORDS, k=draw.randrange(6))]
    if draw.random() < 0.05:
        arguments = draw.choices(WORDS, k=draw.randrange(4))
    if draw.random() < 0.5:
        arguments = [word for word in arguments if len(word) < 1000]
    if {"bench", "memory"} & set(arguments):
        return words(draw)
    files = {name: what for name, what in STRANGE.items() if name != "nothing"}
    return Case(arguments, {"a.yaml": b"solvers: {}\n", "data.npz": _inputs(), **files})


def stages(draw):
    """Stages, with files that are damaged or of another kind and specifications of another."""
    spec = draw.choice(["{}", "[]", "3", "null", '""', "{", "x" * 1000, '{"family": "spheres"}', '{"family": "x"}', "[" * 5000,
                        '{"family": 3}', '{"threshold": 1}', '{"task": 1}', "NaN", "9" * 5000,
                        '{"family": "spheres", "dimension": "2", "train": 8, "test": 8, "seed": 0}',
                        '{"threshold": 0.1, "error_threshold": 0.1, "chance": {"toy": "half"}}'])  # fmt: skip
    verb = draw.choice(
        [
            "prepare",
            "train",
            "adapt",
            "evaluate",
            "examine",
            "trace",
            "explore",
            "tabulate",
            "gather",
            "comparison",
            "plot",
            "report",
        ]
    )
    options = {
        "prepare": ["out"], "train": ["data", "weights", "history", "run", "checkpoint"],
        "adapt": ["data", "weights", "history", "run", "checkpoint", "checks", "probes"],
        "evaluate": ["data", "weights", "run", "out", "references"],
        "examine": ["data", "weights", "run", "references", "out"], "trace": ["data", "weights", "out"],
        "tabulate": ["evaluations", "out"], "gather": ["drops", "audits", "out"],
        "comparison": ["drops", "critical", "runs", "checks", "out"], "plot": ["inputs", "out"],
        "explore": ["data", "weights", "run", "out"], "report": ["tabulated", "runs", "out"],
    }[verb]  # fmt: skip
    names = {name: draw.choice(["a", "a", "a", *STRANGE]) for name in options}
    arguments = [
        verb,
        *(["fan"] if verb == "plot" else []),
        f"--spec={spec}",
        *(f"--{name}={file}" for name, file in names.items()),
    ]
    files = {
        name: what for name, what in STRANGE.items() if name in names.values() and name != "nothing"
    }
    content = draw.choice(
        [b"", b"{}", _safetensors(draw), b"a,b\n1,2\n", b"\xff\xfe", draw.randbytes(50)]
    )
    return Case(arguments, {**files, "a": content})
