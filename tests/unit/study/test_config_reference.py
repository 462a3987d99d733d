from pathlib import Path

import yaml

from solverproof.study.config import SCHEMA
from solverproof.study.config_reference import reference

README = Path(__file__).parents[3] / "config" / "README.md"


def described(node):
    """Names of all keys the schema describes."""
    if isinstance(node, dict):
        for name, child in node.get("properties", {}).items():
            if isinstance(child, dict) and "description" in child:
                yield name
        for child in node.values():
            yield from described(child)
    if isinstance(node, list):
        for child in node:
            yield from described(child)


def properties(node):
    """All keys the schema knows."""
    if isinstance(node, dict):
        for name, child in node.get("properties", {}).items():
            if "const" not in child:
                yield name, child
        for child in node.values():
            yield from properties(child)
    if isinstance(node, list):
        for child in node:
            yield from properties(child)


def test_the_guide_holds_the_table_of_keys_as_the_schema_has_it():
    assert reference() in README.read_text(encoding="utf-8")


def test_every_described_key_has_a_row():
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    rows = [line.split("`")[1].rpartition(".")[2] for line in reference().splitlines()[2:]]
    assert set(described(schema)) <= set(rows)


def test_every_key_but_the_family_has_a_description():
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    assert {name for name, child in properties(schema) if "description" not in child} <= {"family"}


def test_the_row_of_a_key_with_few_values_names_them():
    (row,) = (line for line in reference().splitlines() if ".optimizer`" in line)
    assert 'One of `"adam"`, `"adamw"`, `"sgd"`. |' in row
