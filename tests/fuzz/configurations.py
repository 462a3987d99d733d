"""Configurations and methods, spoilt by what the schema says and without regard to it."""

import copy
from pathlib import Path

import yaml

from solverproof.ode.shipped import shipped
from tests.fuzz.attempt import Case
from tests.fuzz.values import TEXTS, any_value, as_yaml, spoilt

REPOSITORY = Path(__file__).parents[2]
SHIPPED = [file.read_bytes() for file in sorted((REPOSITORY / "config").glob("*.yaml"))]
HALVES = {"order": 2, "c": [0, "1/2"], "a": [[], ["1/2"]], "b": [0, 1], "source": "a book"}
PAIR = {**HALVES, "b_embedded": [1, 0], "embedded_order": 1}
TASK = {"network": "net", "protocol": "short"}
FULL = {
    "results": "results",
    "source": "downloads",
    "select": {
        "tasks": ["toy", "mine", "table"],
        "solvers": ["euler", "rk4", "halves", "pair"],
        "seeds": ["0-1", 5],
    },
    "steps": {"toy": {"euler": [2, 4], "halves": [3]}, "mine": {"rk4": [4]}, "table": {"rk4": [2]}},
    "tolerances": {"toy": {"pair": [0.1, 0.01]}},
    "controlled": {"toy": {"euler": ["paper", "drawn", "ours", "own"]}},
    "solvers": {"halves": HALVES, "pair": PAIR},
    "controllers": {
        "paper": {
            "family": "adaptation", "test_solver": "midpoint", "threshold": 0.1, "interval": 5, "shrink": 0.5,
            "grow": 1.1, "most_steps": 50, "initial": 0.5, "plateau": "reach", "probe_every": 5, "probe_solvers": ["rk4"],
        },
        "drawn": {"family": "random", "steps": [4, 32], "probe_every": 5},
        "ours": {"family": "set_point", "accept": 0.01, "spread": 2, "shortest": 5, "longest": 40, "most_steps": 50,
                 "initial": None, "probe_every": 5, "probe_solvers": []},
        "own": {"family": "module", "path": "mine:Field", "options": {"a": 1}, "solvers": ["rk4"], "probe_every": 5},
    },
    "test": {"ratios": [1, 0.5], "tolerance_ratios": [1, 0.1], "solvers": {"euler": ["euler", "midpoint"]}},
    "validity": {"threshold": 0.1, "error_threshold": 0.1},
    "tasks": {
        "toy": {
            **TASK, "data": {"family": "spheres", "dimension": 2, "train": 20, "test": 10, "seed": 0}, "classes": 2,
            "augment": 0, "horizon": 1.0, "device": "cpu",
        },
        "mine": {
            **TASK, "data": {"family": "module", "path": "mine:nothing", "options": {"a": 1}, "classes": 2},
            "encoder": {"path": "mine:Field", "options": {}}, "head": {"path": "mine:Field", "options": {"a": "b"}},
        },
        "table": {
            **TASK, "data": {"family": "file", "path": "data.csv", "classes": 2, "label": "y", "test": 0.25, "seed": 0,
                             "scale": "none"},
        },
        "images": {**TASK, "data": {"family": "mnist", "train": 10, "test": 10, "pool": 2, "sha256": {}}},
        "colours": {**TASK, "data": {"family": "cifar10", "train": 10, "test": 10, "pool": 2}},
        "wells": {**TASK, "data": {"family": "minima", "train": 10, "test": 10, "seed": 0}},
        "numbers": {**TASK, "data": {"family": "digits", "test": 10, "seed": 0}, "network": "wide"},
    },
    "networks": {
        "net": {"family": "conv", "channels": 4}, "wide": {"family": "mlp", "widths": [4, 4]},
        "own": {"family": "module", "path": "mine:Field", "options": {}},
    },
    "protocols": {
        "short": {
            "iterations": 5, "batch": 4, "learning_rate": 0.1, "optimizer": "sgd", "momentum": 0.5, "weight_decay": 0.1,
            "clip": 1.0, "schedule": "step", "decay_every": 2, "decay": 0.5, "loss": "cross_entropy",
            "gradient": "backpropagation", "history_every": 1,
        },
    },
    "figures": {"flow": {"task": "toy", "solver": "euler", "fine": 4, "coarse": 2, "seed": 0}},
}  # fmt: skip
TABLE = b"a,b,y\n" + b"".join(
    b"%d,%d.5,%s\n" % (i, i * i, b"uv"[i % 2 : i % 2 + 1]) for i in range(20)
)
BESIDE = {
    "data.csv": TABLE, "folder.csv": "folder", "fifo.csv": "fifo", "zero.npz": "/dev/zero", "file": b"",
    "mine.py": (Path(__file__).parent / "mine.py").read_bytes(),
}  # fmt: skip


def by_schema(draw):
    """A configuration with all kinds of keys, some of which have other values or names."""
    config = _small(draw)
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        _change(config, draw)
    if draw.random() < 0.3:
        overlay = {}
        _change_overlay(overlay, draw)
        return _case({"a.yaml": as_yaml(config), "b.yaml": as_yaml(overlay)})
    return _case({"a.yaml": as_yaml(config)})


def by_bytes(draw):
    """The text of a configuration, spoilt anywhere."""
    config = _small(draw)
    texts = [as_yaml(config), yaml.safe_dump(config).encode()]
    text = draw.choice(texts if draw.random() < 0.9 else SHIPPED)
    if draw.random() < 0.5:
        return _case({"a.yaml": spoilt(text, draw)})
    key = draw.choice(list(config))
    overlay = yaml.safe_dump({key: config[key]}).encode()
    return _case({"a.yaml": as_yaml(config), "b.yaml": spoilt(overlay, draw)})


def _small(draw):
    """A part of the configuration with all kinds of keys, which is one itself."""
    config = copy.deepcopy(FULL)
    task = draw.choice(list(config["tasks"]))
    config["tasks"] = {task: config["tasks"][task]}
    solver = draw.choice(config["select"]["solvers"])
    config["select"] |= {"tasks": [task], "solvers": [solver]}
    config["solvers"] = {name: d for name, d in config["solvers"].items() if name == solver}
    adaptive, fixed = (["pair"], ["euler", "rk4", "halves"])
    config["steps"] = {task: {solver: [2, 4]}} if solver in fixed else {}
    config["tolerances"] = {task: {solver: [0.1]}} if solver in adaptive else {}
    controller = draw.choice(list(config["controllers"]))
    config["controllers"] = {controller: config["controllers"][controller]}
    config["controlled"] = {task: {"euler": [controller]}} if solver == "euler" else {}
    network = config["tasks"][task]["network"] = draw.choice(list(config["networks"]))
    config["networks"] = {network: config["networks"][network]}
    config["figures"] = (
        {"flow": {**config["figures"]["flow"], "task": task}}
        if task == "toy" and solver == "euler"
        else {}
    )
    for optional in ("results", "source", "test", "validity"):
        if draw.random() < 0.5:
            del config[optional]
    return config


def methods(draw):
    """Definitions of methods, which only `solvers` reads."""
    known = {name: dict(definition) for name, definition in shipped().items()}
    name = draw.choice(list(known))
    content = {
        "solvers": {draw.choice([name, "own", draw.choice(TEXTS)]): copy.deepcopy(known[name])}
    }
    for _ in range(draw.choice([0, 1, 1, 2])):
        _change(content, draw)
    text = as_yaml(content)
    return Case(
        ["solvers", "a.yaml"], {"a.yaml": spoilt(text, draw) if draw.random() < 0.2 else text}
    )


def code(draw):
    """The user's own code, spoilt; planning reads it and does not run it."""
    config = _small(draw)
    (task,) = config["tasks"]
    path = draw.choice(["own:Field", "own:Field", "own.inner:Field", "own.a.b:Field", "own:none"])
    places = {
        "network": (config["networks"], config["tasks"][task]["network"], {"family": "module", "path": path}),
        "data": (config["tasks"][task], "data", {"family": "module", "path": path, "classes": 2}),
        "head": (config["tasks"][task], "head", {"path": path}),
        "loss": (config["protocols"]["short"], "loss", path),
    }  # fmt: skip
    owner, key, value = places[draw.choice(list(places))]
    owner[key] = value
    text = b"import own\nfrom torch import *\nclass Field:\n    def forward(self, z):\n        return z\n"
    text = draw.choice([
        spoilt(text, draw), spoilt(text, draw), text, b"", b"(" * 5000, b"x=" * 5000, b"-" * 100_000 + b"1", b"\x00", b"# -*- coding: x -*-\n",
        b"x = " + b"9" * 5000, b"f(" * 90 + b")" * 90, b"\xff\xfe", b"if 1:\n" * 200, b"lambda: " * 2000 + b"1", b"1+" * 20_000 + b"1",
        b"a" + b".a" * 20_000, "fifo", "folder", "/dev/zero", "nowhere",
    ])  # fmt: skip
    name = draw.choice(["own.py", "own.py", "own.py", "own/__init__.py", "own/inner.py"])
    return Case(["check", "a.yaml"], {"a.yaml": as_yaml(config), "data.csv": TABLE, name: text})


def _case(files):
    used = {
        name: content
        for name, content in BESIDE.items()
        if name == "data.csv" or name.encode() in b"".join(files.values())
    }
    return Case(["check", *files], {**files, **used})


def _change(config, draw):
    """Another value, name or nothing at a random place of a configuration."""
    places = list(_places(config))
    if not places:  # earlier changes have left nothing
        return
    node, key = draw.choice(places)
    action = draw.random()
    if action < 0.65:
        node[key] = any_value(draw, node[key])
    elif action < 0.75:
        del node[key]
    elif isinstance(node, dict) and action < 0.9:
        node[draw.choice(TEXTS)] = node.pop(key)
    elif isinstance(node, dict):
        node[
            draw.choice(["family", "path", "options", "seeds", *map(str, FULL), draw.choice(TEXTS)])
        ] = any_value(draw)
    else:
        node.append(any_value(draw))


def _change_overlay(overlay, draw):
    """A value at a random place of an overlay."""
    node, at = FULL, overlay
    while isinstance(node, dict) and node:
        key = draw.choice(list(node))
        if draw.random() < 0.2 or not isinstance(node[key], dict):
            at[key] = any_value(draw)
            return
        node, at = node[key], at.setdefault(key, {})


def _places(node):
    entries = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in list(entries):
        yield node, key
        if isinstance(value, (dict, list)):
            yield from _places(value)
