import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from solverproof.errors import InputError
from solverproof.study.yaml_files import (
    DEEPEST,
    LONGEST_FILE,
    LONGEST_LIST,
    MOST_VALUES,
    read_yaml,
)


@pytest.fixture
def told(tmp_path):
    """A function that gives the message about a file with some text."""

    def told(text):
        file = tmp_path / "my.yaml"
        file.write_text(text, encoding="utf-8")
        with pytest.raises(InputError) as caught:
            read_yaml(file)
        message = str(caught.value)
        assert len(message.splitlines()) == 1
        assert len(message) < 250
        assert message.startswith(f"{file}: ")
        return message.removeprefix(f"{file}: ")

    return told


def bomb(levels):
    """Ten times as many values with every level."""
    lines = ["a0: &a0 [" + ", ".join(["1"] * 10) + "]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "line 3: the key 'a' is given twice; remove one"),
        ("a:\n  b: 1\n  b: 1", "line 3: the key 'b' is given twice; remove one"),
        ("1: 2", "line 1: the key '1' is no text; put it in quotes"),
        ("on: 2", "line 1: the key 'on' is no text; put it in quotes"),
        ("? [a]\n: 2", "line 1: the key"),
        ("seeds: [1:4]", "line 1: 1:4 is a time to YAML; write a range as 1-4"),
        ("a: 1:30.5", "line 1: 1:30.5 is a time to YAML; write a decimal number"),
        ("a: 2026-01-02", "line 1: 2026-01-02 is a date to YAML; put it in quotes"),
        ("a: !!binary aGk=", "line 1: values of the kind 'binary' are not used; write it without"),
        ("a: !!set {b, c}", "line 1: values of the kind 'set' are not used; write it without"),
        ("a: !!python/name:os.system ''", "line 1: values of the kind 'python/name:os.system' are"),
        ("a: !mine 1", "line 1: values of the kind '!mine' are not used; write it without"),
        ("a: " + "9" * 400, f"line 1: '{'9' * 76}... is too large; write less than 2^63"),
        ("a: " + "9" * 5000, f"line 1: '{'9' * 76}... is too large; write less than 2^63"),
        ("a: 1.0e-310", "line 1: 1.0e-310 is too small; write 0, or at least 1e-300"),
        ("a: &b [*b]", f"line 1: the file has more than {MOST_VALUES} values; shorten it"),
        (bomb(9), f"line 1: the file has more than {MOST_VALUES} values; shorten it"),
        ("a: " + "[" * 300 + "]" * 300, f"line 1: more than {DEEPEST} levels; write fewer"),
        (f"a: [{'1, ' * 1001}]", f"line 1: a list of more than {LONGEST_LIST} entries; shorten it"),
        ("a: 1\nb: !!int x", "line 2: 'x' is no int; write it without the tag"),
        ("a: !!float ''", "line 1: '' is no float; write it without the tag"),
        ("a: !!bool maybe", "line 1: 'maybe' is no bool; write it without the tag"),
        ('a: "\\U00110000"', "not YAML ("),
        ("# " + "x" * LONGEST_FILE, f"more than {LONGEST_FILE} bytes; shorten it"),
        ("", "there are no keys at its top; write for example select: {seeds: [0-4]}"),
        ("- a", "there are no keys at its top; write for example select: {seeds: [0-4]}"),
        ("a: [", "line 1 is not YAML"),
        ('"a\\u2028b": 1\n"a\\u2028b": 2', "line 2: the key 'a\\u2028b' is given twice"),
    ],
)
def test_what_yaml_would_take_for_something_else_is_told_with_its_line(told, text, message):
    assert told(text).startswith(message)


letters = st.characters(
    min_codepoint=32,
    exclude_characters="\x7f\x85\u2028\u2029\ufeff",
    exclude_categories=["Cs", "Cc", "Cn", "Co"],
)
keys = st.text("abcxyz_-", min_size=1, max_size=8).filter(lambda k: k not in ("y", "-", "---"))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.text(letters, max_size=9)
    | st.floats(1e-200, 1e200)
    | st.just(0.0),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(keys, values, min_size=1, max_size=4))
def test_what_yaml_writes_is_read_as_it_was(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("yaml") / "my.yaml"
    file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    assert read_yaml(file) == content


def test_an_alias_and_a_merge_key_repeat_a_part(tmp_path):
    file = tmp_path / "my.yaml"
    file.write_text("a: &a {b: 1, c: 2}\nd: {<<: *a, c: 3}\ne: *a", encoding="utf-8")
    assert read_yaml(file) == {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}, "e": {"b": 1, "c": 2}}
