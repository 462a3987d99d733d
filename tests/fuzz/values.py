"""Values that programs take for something else, and ways to spoil a text."""

import json

TEXTS = [
    "", " ", "~", "-", "--out=x", "-v", "..", ".", "/", "a/b", "../x", "/etc", "{x}", "{", "}", "a(b", "[a", "*", "a*",
    "x" * 300, "x" * 100_000, "a\u2028b", "a\nb", "a\r\nb", "a\x00b", "\x1b[31m", "\ud800", "é", "\ufeff", "名", "NaN",
    "1e-3", "1e400", "0-4", "4-0", "0-9999999999", "0-4294967296", "4294967295-4294967295", "0-999", "0-1000",
    "-1", "5-", "1:4", "null", "true", "no", "1/3", "1/0", "1e9999999999", "1/" + "9" * 3000, "9" * 400, "٣", "½",
    "__main__:X", "sys:X", "os:system", "mine:Field", "mine:head", "mine:nothing", "mine:failing", "mine:number",
    "mine:nobody", "nowhere:X", "solverproof:audit", "a.b.c:d", "json.tool:main", "builtins:eval", "this:s", "xml:dom",
    "mine.x:Field", "numpy:array", "torch.nn:Linear", "_socket:socket", "mine:", ":Field", "mine", "euler", "rk4",
    "adapt", "reference", "steps-4", "tolerance-0.1", "CON", "a b", "a'b", 'a"b', "$(x)", "`x`", "%s", "\\", "a\\d",
    "toy", "data.csv", "data.npz", "nothing.csv", "folder.csv", "fifo.csv", "zero.npz", "a" * 250 + ".csv",
    "cuda", "mps", "auto", "cross_entropy", "mean_squared_error", "euler:euler", "train", "test", "label", "y", "x",
]  # fmt: skip
NUMBERS = [
    0, 1, -1, 2, 3, 4, 5, 6, 10, 20, 50, 7, 8, 100, 1000, 100_000, 10**6, 10**7, 2**31, 2**32 - 1, 2**32, 2**62, 2**63, 10**30, 10**400, -(10**400),
    0.0, -0.0, 0.5, 1.0, 2.0, 0.1, 1.5, 1e-9, 1e-300, 1e-310, 5e-324, 1e300, 1.7e308, 1e15, 1e16, 1e17,
    0.30000000000000004, 1e-5, 123456789.123456789,
]  # fmt: skip
PLAIN = [
    *TEXTS,
    *NUMBERS,
    None,
    True,
    False,
    [],
    {},
    [[]],
    [{}],
    [None],
    {"a": 1},
    {"": 1},
    {"a": {"b": [1, {"c": None}]}},
]
# As YAML, where JSON has no such value.
RAW = [
    "1:4", "190:20:30", "1:30.5", "2001-01-01", "2001-01-01 00:00:00", "!!timestamp 2001-13-45", "!!binary aGVsbG8=",
    "!!binary '%%'", "!!python/object:os.system x", "!!python/name:os.system", "!!python/object/apply:os.system [ls]",
    "!!set {a, b}", "!!omap [a: 1]", "!!pairs [a: 1]", "&a [*a]", "&a {b: *a}", "*unknown", "0x1F", "0o17", "017", "08",
    "1_000", "+1", ".inf", "-.inf", ".nan", "1e400", "1.0e-310", "1.0e+400", "1.0e-400", "9" * 400, "9" * 5000, "yes", "on",
    "No", "~", "? a", "{<<: {a: 1}}", "{<<: 3}", "{<<: [3]}", "{<<: {a: 1}, <<: {b: 1}}", "[" * 300, "[" * 300 + "]" * 300,
    "{a: " * 50 + "1" + "}" * 50, "=", "<<", "0b101", "!!int x", "!!int ''", "!!int 1.5", "!!float x", "!!float ''",
    "!!int 0b", "!!int 0x", "!!int 1__", "0b", "-0x", "!!bool maybe", "!!null x", "!!str 5", "!!seq {}", "!!map []", "!!seq x",
    "!!map x", "!!str [a]", "!!int [1]", "!!int {}", "!!bool []", "!!merge x", "!!value x", "!<tag:x> 1", "! x", "!x y",
    "&a a, b: *a", "{1: 2}", "{null: 2}", "{[a]: 2}", "{{a: b}: 2}", "{a: 1, a: 2}", "{2001-01-01: 1}", "{true: 1}",
    "{? [a, b] : c}", "{!!binary aGk=: 1}", "{1.5: 2}", "{.nan: 1}", '"\\ud800"', '"\\x00"', '"\\U0010ffff"',
    '"\\U00110000"', '"\\u2028"', '"\\L"', "'a\n\n b'", "|\n x", ">-\n x", "%YAML 1.1", "# x", "@x", "`x`", "a: b", "- a",
    "[a, ]", "[a,, b]", "{,}", "{a}", "{a, b: 1}", "[a: 1]", "!!float 1:30", "!!float .inf", "-.INF", "+.inf", "1.", ".5",
    "!!int 1:99", "!!int -", "!!float -", "!!int +", "!!float _", "!!int _", "!!timestamp x", "!!timestamp [1]", "!!float 1e5",
    "!!python/tuple [1, 2]", "!!python/none ''", "!!python/long 3", "!!python/str x", "{!!merge x: {a: 1}}", "{!!int x: 1}",
]  # fmt: skip
TOKENS = [*RAW, "---\n", "...\n", "\n", "\r", "\t", "\x85", "\u2028", "\ufeff", "\x00", "\x7f", "  ", ":", "{", "}", "[",
          "]", "&a ", "*a", "!!", "|", ">", "'", '"', "#", "%", ",", "? ", "- ", "<<: *a\n"]  # fmt: skip
MARK = "@@raw"


def any_value(draw, like=None):
    """A value for a key, half of the time of the kind of another."""
    if draw.random() < 0.5 and isinstance(like, str):
        return draw.choice(TEXTS)
    if draw.random() < 0.5 and isinstance(like, int | float):
        return draw.choice([number for number in NUMBERS if isinstance(number, type(like))])
    if draw.random() < 0.35:
        return f"{MARK}{draw.randrange(len(RAW))}@@"
    value = draw.choice(draw.choice([PLAIN, NUMBERS, TEXTS]))
    if draw.random() < 0.15:
        value = [value] * draw.choice([1, 2, 40])
    return value


def as_yaml(value):
    """A configuration as JSON, which YAML reads, with what JSON lacks in its places."""
    text = json.dumps(value, indent=_indent(value))
    for i, raw in enumerate(RAW):
        text = text.replace(f'"{MARK}{i}@@"', raw)
    return text.encode("utf-8", "surrogatepass")


def _indent(value):
    """Many levels on one line each, so that messages have lines to name."""
    return 1 if len(str(value)) < 10_000 else None


def spoilt(content, draw):
    """Bytes with some of them changed."""
    for _ in range(draw.choice([1, 1, 1, 2, 4])):
        content = draw.choice(SPOILING)(content, draw) or b""
    return content


def _flipped(content, draw):
    if not content:
        return content
    i = draw.randrange(len(content))
    return content[:i] + bytes([content[i] ^ 1 << draw.randrange(8)]) + content[i + 1 :]


def _inserted(content, draw):
    i = draw.randrange(len(content) + 1)
    return content[:i] + draw.choice(TOKENS).encode("utf-8", "surrogatepass") + content[i:]


def _random_bytes(content, draw):
    i = draw.randrange(len(content) + 1)
    return content[:i] + draw.randbytes(draw.choice([1, 2, 8, 100])) + content[i:]


def _cut(content, draw):
    i, j = sorted((draw.randrange(len(content) + 1), draw.randrange(len(content) + 1)))
    return content[:i] + content[min(j, i + 40) :]


def _truncated(content, draw):
    return content[: draw.randrange(len(content) + 1)]


def _repeated(content, draw):
    lines = content.splitlines(keepends=True) or [b""]
    i = draw.randrange(len(lines))
    return b"".join(lines[: i + 1] * draw.choice([1, 2]) + lines[i:])


def _exchanged(content, draw):
    lines = content.splitlines(keepends=True) or [b""]
    i, j = draw.randrange(len(lines)), draw.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]
    return b"".join(lines)


def _of_other_lines(content, draw):
    return content.replace(
        b"\n", draw.choice([b"\r\n", b"\r", b"\n\n", "\u2028".encode(), b"\x85", b""])
    )


def _of_other_encoding(content, draw):
    try:
        return content.decode().encode(
            draw.choice(["utf-16", "utf-32", "utf-8-sig", "latin-1", "utf-7"])
        )
    except UnicodeError:
        return content


SPOILING = [_flipped, _inserted, _inserted, _random_bytes, _cut, _truncated, _repeated, _exchanged, _of_other_lines,
            _of_other_encoding]  # fmt: skip
