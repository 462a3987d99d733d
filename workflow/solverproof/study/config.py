"""Reading the configuration: defaults filled in, and every mistake told in one line."""

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from solverproof.datasets.families import classes
from solverproof.errors import InputError
from solverproof.files import sha256_of
from solverproof.ode.solvers import METHODS, SOLVERS, Solver, define
from solverproof.ode.tableaux import TableauError
from solverproof.study.fingerprint import module_hash

SCHEMA = Path(__file__).parents[2] / "schemas" / "config.schema.yaml"
Key = tuple[str | int, ...]
Problem = tuple[Key, str]
Reference = tuple[Key, str, str, Iterable[str]]  # key, kind of thing, name, known names

SELECTIONS = ("steps", "tolerances", "controlled")  # of training settings, by task and solver
_EXPECTED = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list, for example [1, 2]",
    "object": "keys with values",
}


def load(config: Mapping[str, Any], files: Sequence[str | Path] = ()) -> dict[str, Any]:
    """Check a merged configuration and return it with all defaults filled in.

    Args:
        config: the configuration, as merged from YAML files.
        files: the files it was merged from, the last of which wins; used to say where a mistake is.

    Raises:
        InputError: on the first mistake, naming file, key and remedy.
    """
    filled: dict[str, Any] = _copy(config)
    for key, message in _problems(filled):
        raise InputError(f"{_source(key, files)}{_dotted(key)}: {message}")
    return filled


def read(files: Sequence[Path]) -> dict[str, Any]:
    """Merge YAML files as Snakemake does: definitions are merged, lists and values replaced by later files.

    Raises:
        InputError: if a file is missing or is not YAML with keys at its top.
    """
    merged: dict[str, Any] = {}
    for file in files:
        _merge(merged, _read(file))
    return merged


def _read(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}; write the path of a YAML file") from error
    except (UnicodeDecodeError, yaml.reader.ReaderError) as error:
        raise InputError(f"{file}: not text in UTF-8 ({error.reason}); save it as such") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise InputError(f"{file}: line {line} is not YAML ({error.problem}); mend it") from error
    if not isinstance(content, dict):
        raise InputError(f"{file}: there are no keys at its top; write for example select: {{seeds: [0-4]}}")
    return content


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
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", str(entry))
    if not match:
        raise ValueError(f"{entry!r} is not a seed; write a whole number (5) or a range (0-4)")
    first = int(match[1])
    last = int(match[2] or first)
    if last < first:
        raise ValueError(f"the range {entry!r} runs backwards; write {last}-{first}")
    return tuple(range(first, last + 1))


def has_flow(config: Mapping[str, Any]) -> bool:
    """Whether figures 1 and 2 are drawn: the task and solver of their models are selected, with steps to train."""
    flow, select = config["figures"].get("flow"), config["select"]
    if not flow or flow["task"] not in select["tasks"] or flow["solver"] not in select["solvers"]:
        return False
    return bool(config["steps"].get(flow["task"], {}).get(flow["solver"]))


def _copy(value: Any) -> Any:
    """Plain dicts and lists all the way down (Snakemake hands over its own kinds)."""
    if isinstance(value, Mapping):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _problems(config: dict[str, Any]) -> Iterator[Problem]:
    """All mistakes, schema before meaning; meaning is looked at only in a well-formed config."""
    schema_errors = list(_validator().iter_errors(config))
    # an unknown key is the likeliest cause of whatever else is wrong
    schema_errors.sort(key=lambda error: error.validator != "additionalProperties")
    for error in schema_errors:
        yield _explain(error)
    yield from _unusable_tableaux(config)
    yield from _unknown_names(config)
    yield from _unusable_selection(config)
    yield from _unusable_heads(config)
    yield from _unusable_files(config)
    yield from _unknown_modules(config)


@cache
def _validator() -> Any:
    """A JSON Schema validator that fills in defaults as it goes; 2.0 is no integer, NaN and infinity no number."""
    base = jsonschema.Draft202012Validator

    def fill_then_check(validator: Any, properties: Any, instance: Any, schema: Any) -> Iterator[Any]:
        if isinstance(instance, dict):
            for key, subschema in properties.items():
                if "default" in subschema:
                    instance.setdefault(key, _copy(subschema["default"]))
        yield from base.VALIDATORS["properties"](validator, properties, instance, schema)

    types = base.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _, value: type(value) is int,
            "number": lambda _, value: type(value) is int or (type(value) is float and math.isfinite(value)),
        }
    )
    extend: Any = jsonschema.validators.extend
    checker = extend(base, {"properties": fill_then_check}, type_checker=types)
    return checker(yaml.safe_load(SCHEMA.read_text(encoding="utf-8")))


def _explain(error: Any) -> Problem:
    key, value, limit = tuple(error.absolute_path), error.instance, error.validator_value
    match error.validator:
        case "additionalProperties":
            known = error.schema["properties"]
            unknown = next(name for name in value if name not in known)
            return (*key, unknown), f"unknown key{_suggest(unknown, known)}"
        case "required":
            missing = next(name for name in limit if name not in value)
            return key, f"the key '{missing}' is missing; add it"
        case "enum":
            return key, f"unknown {key[-1]} {value!r}{_suggest(value, limit)}"
        case "type":
            return key, _wrong_type(value, limit)
        case "minItems":
            found = f"the list has {len(value)} entries" if value else "the list is empty"
            return key, f"{found}; give at least {'one entry' if limit == 1 else f'{limit} entries'}"
        case "uniqueItems":
            twice = next(item for item in value if value.count(item) > 1)
            return key, f"{twice!r} is given twice; remove one"
        case "minimum" | "exclusiveMinimum" | "maximum" | "exclusiveMaximum":
            bound = {
                "minimum": "at least",
                "exclusiveMinimum": "more than",
                "maximum": "at most",
                "exclusiveMaximum": "less than",
            }
            return key, f"{value!r} is out of range; write a value of {bound[error.validator]} {limit}"
        case "pattern" if isinstance(value, str):
            return key, f"{value!r} is not of the form wanted here; write {error.schema['description']}"
    return key, error.message


def _wrong_type(value: Any, expected: str | list[str]) -> str:
    wanted = " or ".join(_EXPECTED[name] for name in ([expected] if isinstance(expected, str) else expected))
    if value is None:
        return f"no value is given; write {wanted}"
    if isinstance(value, str) and _is_number(value) and "number" in expected:
        return f"{value!r} is text to YAML; write {_yaml_number(value)}, with a decimal point"
    return f"{value!r} is not {wanted}; write {wanted}"


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _yaml_number(text: str) -> str:
    """1e-3 as YAML 1.1 wants it: 1.0e-3."""
    mantissa, _, exponent = text.lower().partition("e")
    decimal = mantissa if "." in mantissa else f"{mantissa}.0"
    return f"{decimal}e{int(exponent):+d}" if exponent else decimal


def _suggest(name: object, known: Iterable[str]) -> str:
    names = [str(item) for item in known]
    close = difflib.get_close_matches(str(name), names, n=1)
    return f"; did you mean '{close[0]}'?" if close else f"; known are: {', '.join(names)}"


def _unusable_tableaux(config: Mapping[str, Any]) -> Iterator[Problem]:
    """Mistakes in solvers given by their tableaux; those without any are defined as a side effect."""
    for name, definition in config["solvers"].items():
        if name in METHODS:
            yield ("solvers", name), f"torchdiffeq has a method '{name}'; write another name"
        try:
            define({name: definition})
        except TableauError as error:
            yield ("solvers", name, *error.key), error.message


def _unknown_names(config: Mapping[str, Any]) -> Iterator[Problem]:
    """Names that point to no definition."""
    references: list[Reference] = []
    select, test = config["select"], config["test"]
    tasks, networks, protocols = config["tasks"], config["networks"], config["protocols"]
    references += [(("select", "tasks", i), "task", name, tasks) for i, name in enumerate(select["tasks"])]
    references += [(("select", "solvers", i), "solver", name, SOLVERS) for i, name in enumerate(select["solvers"])]
    for task, definition in tasks.items():
        references.append((("tasks", task, "network"), "network", definition["network"], networks))
        references.append((("tasks", task, "protocol"), "protocol", definition["protocol"], protocols))
    references += _referred_in_selections(config)
    for train, tests in test["solvers"].items():
        references.append((("test", "solvers", train), "solver", train, SOLVERS))
        references += [(("test", "solvers", train, i), "solver", name, SOLVERS) for i, name in enumerate(tests)]
    if flow := config["figures"].get("flow"):
        references.append((("figures", "flow", "task"), "task", flow["task"], tasks))
        references.append((("figures", "flow", "solver"), "solver", flow["solver"], SOLVERS))
    for key, kind, name, known in references:
        if name not in known:
            yield key, f"unknown {kind} '{name}'{_suggest(name, known)}"


def _referred_in_selections(config: Mapping[str, Any]) -> Iterator[Reference]:
    """Tasks, solvers and controllers named where training settings are selected."""
    for selection in SELECTIONS:
        for task, settings in config[selection].items():
            yield (selection, task), "task", task, config["tasks"]
            for solver in settings:
                yield (selection, task, solver), "solver", solver, SOLVERS
    for task, settings in config["controlled"].items():
        for solver, names in settings.items():
            for i, name in enumerate(names):
                yield ("controlled", task, solver, i), "controller", name, config["controllers"]
    for name, options in config["controllers"].items():
        if options["family"] == "adaptation":
            yield ("controllers", name, "test_solver"), "solver", options["test_solver"], SOLVERS
            for i, probe in enumerate(options.get("probe_solvers", [])):
                yield ("controllers", name, "probe_solvers", i), "solver", probe, SOLVERS


def _unusable_selection(config: Mapping[str, Any]) -> Iterator[Problem]:
    select = config["select"]
    yield from _unusable_seeds(select["seeds"])
    for task in select["tasks"]:
        if not any(config[selection].get(task, {}).get(s) for selection in SELECTIONS for s in select["solvers"]):
            wanted = f"{{{select['solvers'][0]}: [8, 16]}}"
            yield ("steps", task), f"no training steps for any selected solver; write for example {wanted}"
    yield from _unusable_kinds(config)
    yield from _unusable_controllers(config)
    if has_flow(config):
        yield from _unusable_flow(config["figures"]["flow"], config)


def _unusable_kinds(config: Mapping[str, Any]) -> Iterator[Problem]:
    """Steps for adaptive solvers, tolerances for others, tests that cannot be compared."""
    for selection, measure, other in (("steps", "steps", "tolerances"), ("tolerances", "tolerance", "steps")):
        for task, settings in config[selection].items():
            for solver in settings:
                if SOLVERS[solver].measure != measure:
                    message = f"{solver} is of kind '{SOLVERS[solver].kind}'; write its settings under {other}"
                    yield (selection, task, solver), message
    for train, tests in config["test"]["solvers"].items():
        for i, test in enumerate(tests):
            if SOLVERS[test].measure != SOLVERS[train].measure:
                kinds = f"{test} is of kind '{SOLVERS[test].kind}', {train} of kind '{SOLVERS[train].kind}'"
                yield ("test", "solvers", train, i), f"{kinds}; write a solver of the same kind"


def _unusable_controllers(config: Mapping[str, Any]) -> Iterator[Problem]:
    for name, options in config["controllers"].items():
        if options["family"] == "random" and options["steps"][0] > options["steps"][1]:
            yield ("controllers", name, "steps"), f"the fewest steps come first; write {options['steps'][::-1]}"
    for task, settings in config["controlled"].items():
        for solver, names in settings.items():
            for i, name in enumerate(names):
                if message := _unusable_pair(SOLVERS[solver], config["controllers"][name]):
                    yield ("controlled", task, solver, i), f"{name}: {message}"


def _unusable_pair(train: Solver, options: Mapping[str, Any]) -> str | None:
    """Why a controller cannot choose the settings of a training solver."""
    if options["family"] == "random":
        return f"{train.name} has no steps to draw; write a fixed-step solver" if train.is_adaptive else None
    test = SOLVERS[options["test_solver"]]
    for other in (test, *(SOLVERS[name] for name in options.get("probe_solvers", []))):
        if other.measure != train.measure:
            return f"{other.name} is not of the kind of {train.name}; write a solver of kind '{train.kind}'"
    better = test.order > train.order or (train.is_adaptive and test == train)
    wanted = f"order above {train.order}" + (f", or {train.name} itself" if train.is_adaptive else "")
    return None if better else f"its test solver {test.name} is no better than {train.name}; write one of {wanted}"


def _unusable_seeds(entries: Sequence[int | str]) -> Iterator[Problem]:
    seen: set[int] = set()
    for i, entry in enumerate(entries):
        try:
            block = _seed_block(entry)
        except ValueError as error:
            yield ("select", "seeds", i), str(error)
            return
        if twice := seen.intersection(block):
            yield ("select", "seeds", i), f"seed {min(twice)} is given twice; remove one"
        seen.update(block)


def _unusable_flow(flow: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[Problem]:
    trained = config["steps"].get(flow["task"], {}).get(flow["solver"], [])
    for role in ("fine", "coarse"):
        if flow[role] not in trained:
            where = f"steps.{flow['task']}.{flow['solver']}"
            yield ("figures", "flow", role), f"{flow[role]} is not trained; write one of {where} = {trained}"
    if not any(flow["seed"] in block for block in seed_blocks(config["select"]["seeds"])):
        yield ("figures", "flow", "seed"), f"seed {flow['seed']} is not trained; write one of select.seeds"
    data = config["tasks"][flow["task"]]["data"]
    if data.get("dimension") != 2:
        yield ("figures", "flow", "task"), f"the state of '{flow['task']}' is not 2-d; write a task whose state is"


def _unusable_heads(config: Mapping[str, Any]) -> Iterator[Problem]:
    for task, definition in config["tasks"].items():
        number = classes(definition["data"])
        if definition.setdefault("classes", number) < number:
            few = definition["classes"]
            yield (
                ("tasks", task, "classes"),
                f"the data set has {number} classes, the head {few} outputs; write {number}",
            )


def _unusable_files(config: Mapping[str, Any]) -> Iterator[Problem]:
    """Files of selected data sets that are missing or not the expected ones."""
    for task in config["select"]["tasks"]:
        data = config["tasks"][task]["data"]
        if data["family"] == "file":
            key, path = ("tasks", task, "data"), Path(data["path"])
            if not path.is_file():
                yield (*key, "path"), f"there is no file '{path}'; write a path from the working directory"
            elif "sha256" in data and data["sha256"] != sha256_of(path):
                yield (*key, "sha256"), f"'{path}' has the checksum {sha256_of(path)}; write that, or another file"
            elif path.suffix == ".csv" and "label" not in data:
                yield (*key, "label"), "a CSV file has its labels in a column; write its name"


def _unknown_modules(config: Mapping[str, Any]) -> Iterator[Problem]:
    for name, network in config["networks"].items():
        if network["family"] == "module":
            try:
                module_hash(network["path"].partition(":")[0])
            except (ModuleNotFoundError, SyntaxError) as error:
                message = f"{error}; write module:Class of a module that Python finds from the working directory"
                yield ("networks", name, "path"), message


def _dotted(key: Key) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return text.removeprefix(".") or "(top level)"


def _source(key: Key, files: Sequence[str | Path]) -> str:
    """The file a key was last set in: the one that holds most of its path, later files first."""
    depths = [(_depth(yaml.safe_load(Path(file).read_text(encoding="utf-8")), key), file) for file in files]
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
