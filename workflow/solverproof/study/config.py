"""Reading the configuration: fill in defaults, and report each error on one line."""

import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from solverproof.datasets.base import DataSet
from solverproof.errors import InputError, Key, Problem, shown
from solverproof.evaluation.rows import REFERENCE
from solverproof.family import Family
from solverproof.models.networks.base import Network
from solverproof.ode.shipped import shipped
from solverproof.ode.solvers import METHODS, SOLVERS, Solver, known_solvers
from solverproof.ode.tableaux import TableauError, parse
from solverproof.study.complaints import DESELECTED, SELECTIONS, explain, suggestion
from solverproof.study.yaml_files import read_yaml
from solverproof.training.controllers.base import Controller
from solverproof.training.specifications import Protocol
from solverproof.user_code import missing

SCHEMA = Path(__file__).with_name("config.schema.yaml")
SEEDS = 2**32  # NumPy's generators take seeds below it
LARGEST_BLOCK = 1000  # seeds that are trained together
MOST_CELLS = 20_000  # of a study; Snakemake plans half as many in ten seconds


def load(config: Mapping[str, Any], files: Sequence[str | Path] = ()) -> dict[str, Any]:
    """Check a merged configuration and return it with all defaults filled in.

    Args:
        config: the configuration, as merged from YAML files.
        files: the files it was merged from, the last of which wins; used to locate errors.

    Raises:
        InputError: on the first error, naming file, key and remedy.
    """
    filled: dict[str, Any] = _copy(config)
    _deselect(filled)
    _add_shipped(filled)
    # The validator fills in the other defaults while it checks.
    for key, message in _problems(filled):
        raise InputError(f"{_source(key, files)}{_dotted(key)}: {message}")
    return filled


def solver_definitions(files: Sequence[Path]) -> dict[str, Any]:
    """Definitions of solvers: those that come with the package, and those of YAML files.

    What else the files hold is not looked at, so an overlay may stand alone.

    Raises:
        InputError: on the first error, naming file, key and remedy.
    """
    config: dict[str, dict[str, Any]] = {"solvers": read(files).get("solvers", {})}
    _add_shipped(config)
    for key, message in chain(_schema_problems(config), _unusable_tableaux(config)):
        if "solvers" in key[:1]:
            raise InputError(f"{_source(key, files)}{_dotted(key)}: {message}")
    return config["solvers"]


def read(files: Sequence[Path]) -> dict[str, Any]:
    """Merge YAML files as Snakemake does: later files extend dicts and replace lists and values.

    Raises:
        InputError: if a file is missing or is not YAML with keys at its top, or if one after the
            first has an empty mapping in place of a selection.
    """
    merged: dict[str, Any] = {}
    for file in files:
        content = read_yaml(file)
        if not file.samefile(files[0]):
            _refuse_empty_selections(file, content)
        _merge(merged, content)
    return merged


def _refuse_empty_selections(overlay: Path, content: Mapping[str, Any]) -> None:
    """An empty mapping reads as if it selected nothing, but merged into another it does nothing."""
    for key in _empty_selections(content):
        remedy = "write null to select nothing"
        raise InputError(f"{overlay}: {_dotted(key)}: {{}} changes nothing here; {remedy}")


def _empty_selections(content: Mapping[str, Any]) -> Iterator[Key]:
    for selection in SELECTIONS:
        tasks = content.get(selection)
        if tasks == {}:
            yield (selection,)
        elif isinstance(tasks, dict):
            yield from ((selection, task) for task, settings in tasks.items() if settings == {})


def _merge(base: dict[str, Any], change: Mapping[str, Any]) -> None:
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value


def seed_blocks(entries: Sequence[int | str]) -> list[tuple[int, ...]]:
    """Blocks of seeds from `select.seeds`: 5 is the block (5,), "0-4" the block (0, 1, 2, 3, 4).

    Raises:
        ValueError: if an entry is neither a seed nor an increasing range.
    """
    return [_seed_block(entry) for entry in entries]


def _seed_block(entry: int | str) -> tuple[int, ...]:
    match = re.fullmatch(r"([0-9]{1,18})(?:-([0-9]{1,18}))?", str(entry))
    if not match:
        raise ValueError(f"{shown(entry)} is not a seed; write a whole number (5) or a range (0-4)")
    first = int(match[1])
    last = int(match[2] or first)
    if last < first:
        raise ValueError(f"the range {entry!r} runs backwards; write {last}-{first}")
    if last >= SEEDS:
        raise ValueError(f"{shown(entry)} is too large; write seeds below {SEEDS}")
    if last - first >= LARGEST_BLOCK:
        size = f"the range {entry!r} is one job of {last - first + 1} seeds"
        raise ValueError(f"{size}; write several of at most {LARGEST_BLOCK}")
    return tuple(range(first, last + 1))


def has_flow(config: Mapping[str, Any]) -> bool:
    """Whether figures 1 and 2 are drawn.

    They are if the task and the solver of their models are selected, with steps to train.
    """
    flow, select = config["figures"].get("flow"), config["select"]
    if not flow or flow["task"] not in select["tasks"] or flow["solver"] not in select["solvers"]:
        return False
    return bool(config["steps"].get(flow["task"], {}).get(flow["solver"]))


def _deselect(config: dict[str, Any]) -> None:
    """Replace null in a selection, at the top, for a task or for one of its solvers."""
    for selection in SELECTIONS:
        if selection in config:
            config[selection] = _without_null(config[selection], levels=DESELECTED - 1)


def _without_null(node: Any, levels: int) -> Any:
    if node is None:
        return {} if levels else []
    if levels and isinstance(node, dict):
        return {key: _without_null(item, levels - 1) for key, item in node.items()}
    return node


def _add_shipped(config: dict[str, Any]) -> None:
    """Add the solvers that come with the package to those that the configuration defines."""
    own = config.setdefault("solvers", {})
    if isinstance(own, dict):  # anything else is for the schema to refuse
        config["solvers"] = {**_copy(shipped()), **own}


def _copy(value: Any) -> Any:
    """A copy made of plain dicts and lists (Snakemake passes its own types)."""
    if isinstance(value, Mapping):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _problems(config: dict[str, Any]) -> Iterator[Problem]:
    """All errors, those against the schema first."""
    yield from _no_json(config)
    yield from _schema_problems(config)
    # `load` stops at the first error, so all that follows may rely on the schema, and on the
    # checks before it.
    yield from _unusable_tableaux(config)
    solvers = known_solvers(config["solvers"])
    yield from _unusable_selection(config)
    yield from _unusable_kinds(config, solvers)
    yield from _unusable_families(config, solvers)
    yield from _unusable_protocols(config, solvers)
    yield from _unusable_ends(config)
    yield from _unusable_flow(config)
    results = Path(config["results"])
    for place in (results, *results.parents):
        if os.path.lexists(place) and not os.path.isdir(place):  # noqa: PTH112 (raises of no path)
            yield ("results",), f"{shown(str(place))} is no folder; write another path"


def _no_json(node: Any, key: Key = ()) -> Iterator[Problem]:
    """Values that identify no job: other programs may give them, files cannot."""
    if isinstance(node, dict):
        for name, value in node.items():
            if not isinstance(name, str):
                yield (*key, str(name)), f"the key {shown(name)} is no text; put it in quotes"
            yield from _no_json(value, (*key, str(name)))
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from _no_json(value, (*key, i))
    elif isinstance(node, float) and not math.isfinite(node):
        yield key, f"{node} is not a number; write a number"
    elif node is not None and not isinstance(node, (str, int, float)):
        yield key, f"{shown(node)} is no text, number, list or mapping; write one of these"


def _schema_problems(config: dict[str, Any]) -> Iterator[Problem]:
    errors = list(_validator(config).iter_errors(config))
    # Only the first error is reported: an unknown key is the likeliest cause of the others, an
    # unknown name the least likely.
    rank = {"additionalProperties": 0, "names": 2}
    errors.sort(key=lambda error: rank.get(error.validator, 1))
    yield from map(explain, errors)


@cache
def schema() -> Mapping[str, Any]:
    """The schema, with three keywords of our own.

    `neutral` is a default that never changes, with which everything is as if the key did not exist.
    It is left out of what identifies a job, so adding a key with a neutral value re-runs nothing.
    `names` states that a text, or the keys of an object, are names defined elsewhere. `families`
    states that an object's `family` chooses one of the blocks of that group under $defs, which
    describes its further keys.
    """
    found: Mapping[str, Any] = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    return found


@cache
def _standard_schema() -> Any:
    """The schema with `families` expressed in standard keywords."""
    return _expanded(schema(), schema()["$defs"])


def _expanded(node: Any, groups: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_expanded(item, groups) for item in node]
    if not isinstance(node, Mapping):
        return node
    expanded = {key: _expanded(value, groups) for key, value in node.items() if key != "families"}
    if "families" not in node:
        return expanded
    group = node["families"]
    cases = [
        {
            "if": {"required": ["family"], "properties": {"family": {"const": name}}},
            "then": {"$ref": f"#/$defs/{group}/{name}"},
        }
        for name in groups[group]
    ]
    family = {"family": {"enum": list(groups[group])}}
    return {**expanded, "required": ["family"], "properties": family, "allOf": cases}


def _validator(config: Mapping[str, Any]) -> Any:
    """A JSON Schema validator that fills in defaults while it checks.

    For it 2.0 is not an integer, and NaN and infinity are not numbers.
    """
    base = jsonschema.Draft202012Validator

    def fill_then_check(validator: Any, properties: Any, instance: Any, of: Any) -> Iterator[Any]:
        # Filled in first, so that defaults are checked like everything else.
        if isinstance(instance, dict):
            for key, subschema in properties.items():
                for kind in ("default", "neutral"):
                    if kind in subschema:
                        instance.setdefault(key, _copy(subschema[kind]))
        yield from base.VALIDATORS["properties"](validator, properties, instance, of)

    def check_name(_: Any, group: str, instance: Any, __: Any) -> Iterator[Any]:
        known = _known(config, group)
        if isinstance(instance, str) and instance not in known:
            message = (
                f"unknown {group.removesuffix('s')} {shown(instance)}{suggestion(instance, known)}"
            )
            yield jsonschema.ValidationError(message)

    # `type(...) is` and not isinstance, because True is an instance of int.
    types = base.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _, value: type(value) is int,
            "number": lambda _, value: (
                type(value) is int or (type(value) is float and math.isfinite(value))
            ),
        }
    )
    extend: Any = jsonschema.validators.extend
    keywords = {"properties": fill_then_check, "names": check_name}
    return extend(base, keywords, type_checker=types)(_standard_schema())


def _known(config: Mapping[str, Any], group: str) -> Mapping[str, Any]:
    own = config.get(group)
    own = own if isinstance(own, Mapping) else {}
    return {**SOLVERS, **own} if group == "solvers" else own


def _unusable_tableaux(config: Mapping[str, Any]) -> Iterator[Problem]:
    for name, definition in config["solvers"].items():
        if definition == shipped().get(name):
            continue  # one that comes with the package: tests have checked it
        if name == REFERENCE:
            yield ("solvers", name), f"'{name}' is the flow itself in tables; write another name"
        if name in METHODS:
            yield ("solvers", name), f"torchdiffeq has a method '{name}'; write another name"
        try:
            tableau = parse(definition)
            # The same numbers are welcome: configurations had to define these solvers before.
            if name in shipped() and tableau != parse(shipped()[name]):
                message = f"another method '{name}' comes with the package; write another name"
                yield ("solvers", name), message
        except TableauError as error:
            yield ("solvers", name, *error.key), error.message


def _unusable_selection(config: Mapping[str, Any]) -> Iterator[Problem]:
    select = config["select"]
    yield from _unusable_seeds(select["seeds"])
    if (count := _cell_count(config)) > MOST_CELLS:
        message = f"{count} cells are selected; write at most {MOST_CELLS}, and the others apart"
        yield ("select", "seeds"), message
    trained = {task for _, task, solver, _ in _given(config) if solver in select["solvers"]}
    for task in select["tasks"]:
        if task not in trained:
            wanted = f"steps.{task}: {{{select['solvers'][0]}: [8, 16]}}"
            message = f"nothing is trained on '{task}' with a selected solver"
            yield ("select",), f"{message}; write for example {wanted}, or leave it out"


def without_effect(config: Mapping[str, Any]) -> Iterator[str]:
    """What looks as if it trained something and does not, a line each: a likely slip, no error."""
    selected = config["select"]["solvers"]
    places = [place for *place, _ in _given(config)]
    if unused := [".".join(place) for place in places if place[-1] not in selected]:
        yield f"not trained, for their solvers are not selected: {', '.join(unused)}"
    used = {place[-1] for place in places}
    if without := [solver for solver in selected if solver not in used]:
        yield f"selected, but with nothing to train on a selected task: {', '.join(without)}"


def _given(config: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Sequence[Any]]]:
    """What selected tasks have to train: the selection, the task, the solver, and its settings."""
    for selection in SELECTIONS:
        for task in config["select"]["tasks"]:
            for solver, settings in config[selection].get(task, {}).items():
                if settings:
                    yield selection, task, solver, settings


def _unusable_seeds(entries: Sequence[int | str]) -> Iterator[Problem]:
    seen: set[int] = set()
    for i, entry in enumerate(entries):
        try:
            block = _seed_block(entry)
        except ValueError as error:
            yield ("select", "seeds", i), str(error)
            return  # without a block there is nothing to compare
        if twice := seen.intersection(block):
            yield ("select", "seeds", i), f"seed {min(twice)} is given twice; remove one"
        seen.update(block)
        if len(seen) > MOST_CELLS:
            yield ("select", "seeds"), f"more than {MOST_CELLS} seeds; write fewer"
            return


def _cell_count(config: Mapping[str, Any]) -> int:
    """Number of cells: one for each block of seeds; with a controller, one for each seed."""
    select = config["select"]
    blocks = seed_blocks(select["seeds"])
    runs = {"steps": len(blocks), "tolerances": len(blocks), "controlled": sum(map(len, blocks))}
    return sum(
        runs[selection] * len(settings)
        for selection, _, solver, settings in _given(config)
        if solver in select["solvers"]
    )


def _unusable_kinds(config: Mapping[str, Any], solvers: Mapping[str, Solver]) -> Iterator[Problem]:
    """Steps for adaptive solvers, tolerances for others, and test solvers of another measure."""
    measures = (("steps", "steps", "tolerances"), ("tolerances", "tolerance", "steps"))
    for selection, measure, other in measures:
        for task, settings in config[selection].items():
            for name in settings:
                if solvers[name].measure != measure:
                    kind = f"{name} is of kind '{solvers[name].kind}'"
                    yield (selection, task, name), f"{kind}; write its settings under {other}"
    for train, tests in config["test"]["solvers"].items():
        for i, test in enumerate(tests):
            if solvers[test].measure != solvers[train].measure:
                theirs, ours = solvers[test].kind, solvers[train].kind
                kinds = f"{test} is of kind '{theirs}', {train} of kind '{ours}'"
                yield ("test", "solvers", train, i), f"{kinds}; write a solver of the same kind"


def _unusable_families(
    config: Mapping[str, Any], solvers: Mapping[str, Solver]
) -> Iterator[Problem]:
    """Errors that families find in their definitions, and user code that cannot be used."""
    networks = {name: Network.from_json(d) for name, d in config["networks"].items()}
    controllers = {name: Controller.of(d, solvers) for name, d in config["controllers"].items()}
    # Data sets of selected tasks only: a file of a task that is not run may be missing.
    selected = config["select"]["tasks"]
    data = {name: DataSet.from_json(config["tasks"][name]["data"]) for name in selected}
    families: list[tuple[Key, Family]] = [
        *((("networks", name), network) for name, network in networks.items()),
        *((("controllers", name), controller) for name, controller in controllers.items()),
        *((("tasks", name, "data"), data_set) for name, data_set in data.items()),
    ]
    for place, family in families:
        yield from (((*place, *key), message) for key, message in family.problems())
        if family.user_code:
            yield from _unusable_code((*place, "path"), family.user_code)
    yield from _misfits(config["controlled"], controllers, solvers, data)


def _misfits(
    controlled: Mapping[str, Any],
    controllers: Mapping[str, Controller],
    solvers: Mapping[str, Solver],
    data: Mapping[str, DataSet],
) -> Iterator[Problem]:
    """Controllers that fit not their training solver, or hold out too few samples of a task."""
    for task, settings in controlled.items():
        for solver, names in settings.items():
            for i, name in enumerate(names):
                if message := controllers[name].misfit(solvers[solver]):
                    yield ("controlled", task, solver, i), f"{name}: {message}"
                elif task in data and (message := _held_out_in_vain(controllers[name], data[task])):
                    yield ("controllers", name), message


def _held_out_in_vain(controller: Controller, data_set: DataSet) -> str | None:
    try:
        controller.held_out(classes=data_set.class_count() is not None)
    except InputError as error:
        return str(error)
    return None


def _unusable_code(key: Key, path: str) -> Iterator[Problem]:
    if message := missing(path):
        yield key, message


def _unusable_ends(config: Mapping[str, Any]) -> Iterator[Problem]:
    """Heads that do not fit the data, and what stands before them."""
    for task, definition in config["tasks"].items():
        place, data = ("tasks", task), DataSet.from_json(definition["data"])
        number, outputs = data.class_count(), definition.get("classes")
        if outputs is not None and number is None:
            yield (*place, "classes"), "the targets are real values; remove the key"
        elif number is not None and outputs is not None and outputs < number:
            message = f"the data set has {number} classes, the head {outputs} outputs"
            yield (*place, "classes"), f"{message}; write {number}"
        for end in ("encoder", "head"):
            if end in definition:
                yield from _unusable_code((*place, end, "path"), definition[end]["path"])
        if "encoder" in definition and definition["augment"]:
            yield (*place, "augment"), "an encoder makes the states; append the zeros there"


def _unusable_protocols(
    config: Mapping[str, Any], solvers: Mapping[str, Solver]
) -> Iterator[Problem]:
    """Keys of one optimiser or schedule beside another, losses and penalties that do not fit."""
    for name, protocol in config["protocols"].items():
        place = ("protocols", name)
        if protocol["momentum"] and protocol["optimizer"] != "sgd":
            message = f"{protocol['optimizer']} has none; write optimizer: sgd, or remove the key"
            yield (*place, "momentum"), message
        if (protocol["decay_every"] is None) == (protocol["schedule"] == "step"):
            message = "belongs to schedule: step, which needs it; write both or neither"
            yield (*place, "decay_every"), message
        if protocol["decay"] != Protocol.decay and protocol["schedule"] != "step":
            yield (*place, "decay"), "belongs to schedule: step; write that, or remove the key"
        if ":" in (loss := protocol["loss"] or ""):
            yield from _unusable_code((*place, "loss"), loss)
    for task in config["select"]["tasks"]:
        definition = config["tasks"][task]
        protocol = config["protocols"][definition["protocol"]]
        for name in config["select"]["solvers"] if protocol["local_error"] else []:
            if solvers[name].kind != "fixed":
                message = (
                    f"{name} is no fixed-step solver; select none but those, or remove the key"
                )
                yield ("protocols", definition["protocol"], "local_error"), message
        loss = protocol["loss"]
        real = DataSet.from_json(definition["data"]).class_count() is None
        if real and loss == "cross_entropy":
            message = f"the targets of '{task}' are real values; write loss: mean_squared_error"
            yield ("protocols", definition["protocol"], "loss"), message


def _unusable_flow(config: Mapping[str, Any]) -> Iterator[Problem]:
    if not has_flow(config):
        return
    flow = config["figures"]["flow"]
    trained = config["steps"].get(flow["task"], {}).get(flow["solver"], [])
    for role in ("fine", "coarse"):
        if flow[role] not in trained:
            one_of = f"write one of steps.{flow['task']}.{flow['solver']} = {trained}"
            yield ("figures", "flow", role), f"{flow[role]} is not trained; {one_of}"
    if not any(flow["seed"] in block for block in seed_blocks(config["select"]["seeds"])):
        message = f"seed {flow['seed']} is not trained; write one of select.seeds"
        yield ("figures", "flow", "seed"), message
    task = config["tasks"][flow["task"]]
    data = DataSet.from_json(task["data"])
    if data.class_count() is None:
        message = f"the targets of '{flow['task']}' are real values; write a task with classes"
        yield ("figures", "flow", "task"), message
    shape = data.sample_shape()
    if shape is None or math.prod(shape) != 2 or task["augment"] or "encoder" in task:
        message = f"the state of '{flow['task']}' is not 2-d; write a task whose state is"
        yield ("figures", "flow", "task"), message


def _dotted(key: Key) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return text.removeprefix(".") or "(top level)"


def _source(key: Key, files: Sequence[str | Path]) -> str:
    """The file that last set a key: the one with most of its path; of equal ones the last."""
    depths = [(_depth(read_yaml(Path(file)), key), file) for file in files]
    if not depths:
        return ""
    deepest = max(depth for depth, _ in depths)
    return f"{next(file for depth, file in reversed(depths) if depth == deepest)}: "


def _depth(node: Any, key: Key) -> int:
    for depth, part in enumerate(key):
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            return depth
    return len(key)
