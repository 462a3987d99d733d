"""The configuration's keys as a Markdown table, made from the schema so that the two stay equal."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from solverproof.study.config import schema

NAMES = {
    "steps": "<task>", "tolerances": "<task>", "controlled": "<task>",
    "controllers": "<controller>", "solvers": "<solver>",
    "tasks": "<task>", "networks": "<network>", "protocols": "<protocol>",
}  # fmt: skip


def reference() -> str:
    """One row for every key: its path, meaning and default."""
    rows = [f"| `{key}` | {meaning} | {default} |" for key, meaning, default in _rows(schema(), "")]
    return "\n".join(["| key | meaning | default |", "|---|---|---|", *rows]) + "\n"


def _rows(node: Mapping[str, Any], path: str) -> Iterator[tuple[str, str, str]]:
    for name, child in node.get("properties", {}).items():
        key = f"{path}.{name}" if path else name
        if "description" in child:
            required = name in node.get("required", [])
            yield key, _meaning(child), _default(child, required=required)
        yield from _rows(child, key)
    named = node.get("additionalProperties")
    if isinstance(named, Mapping) and ("properties" in named or "families" in named):
        yield from _rows(named, f"{path}.{NAMES[path]}")
    for family, block in schema()["$defs"].get(node.get("families"), {}).items():
        yield f"{path}.family: {family}", _meaning(block), ""
        yield from _rows(block, path)


def _meaning(node: Mapping[str, Any]) -> str:
    meaning = " ".join(node["description"].split())
    values = [f"`{json.dumps(value)}`" for value in node.get("enum", [])]
    return f"{meaning} One of {', '.join(values)}." if values else meaning


def _default(node: Mapping[str, Any], *, required: bool) -> str:
    if required:
        return "required"
    default = node.get("default", node.get("neutral", {}))
    return f"`{json.dumps(default)}`" if default != {} else ""
