"""The configuration's keys as a Markdown table, made from the schema so that the two cannot drift apart."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from solverproof.study.config import SCHEMA

NAMES = {
    "steps": "<task>", "tolerances": "<task>", "controlled": "<task>", "controllers": "<controller>",
    "solvers": "<solver>",
    "tasks": "<task>", "networks": "<network>", "protocols": "<protocol>",
}  # fmt: skip


def reference() -> str:
    """One row for every key: its path, meaning and default."""
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    rows = [f"| `{key}` | {meaning} | {default} |" for key, meaning, default in _rows(schema, "", schema["$defs"])]
    return "\n".join(["| key | meaning | default |", "|---|---|---|", *rows]) + "\n"


def _rows(node: Mapping[str, Any], path: str, families: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, child in node.get("properties", {}).items():
        key = f"{path}.{name}" if path else name
        if "description" in child:
            required = name in node.get("required", [])
            yield key, " ".join(child["description"].split()), _default(child, required=required)
        yield from _rows(child, key, families)
    named = node.get("additionalProperties")
    if isinstance(named, Mapping) and "properties" in named:
        yield from _rows(named, f"{path}.{NAMES[path]}", families)
    for condition in node.get("allOf", []):
        family = condition["then"]["$ref"].rpartition("/")[2]
        yield f"{path}.family: {family}", families[family]["description"], ""
        yield from _rows(families[family], path, families)


def _default(node: Mapping[str, Any], *, required: bool) -> str:
    if required:
        return "required"
    return f"`{json.dumps(node['default'])}`" if node.get("default", {}) != {} else ""
