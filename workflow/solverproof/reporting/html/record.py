"""An audit as strict JSON, for machines: everything but what is known of single samples."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from solverproof.auditing.result import AuditResult
from solverproof.errors import InputError
from solverproof.ode.solvers import Setting
from solverproof.paths import regular
from solverproof.reporting.html.wording import accepted_share, candidates

FORMAT = 1
_NUMBER, _COUNT = {"type": ["number", "null"]}, {"type": "integer", "minimum": 0}
_SETTING: dict[str, Any] = {
    "type": "object",
    "required": ["solver", "steps", "tolerance"],
    "properties": {
        "solver": {"type": "string"},
        "steps": {"type": ["integer", "null"]},
        "tolerance": _NUMBER,
        "atol": _NUMBER,
    },
}
_ADVICE = {
    **_SETTING,
    "type": ["object", "null"],
    "required": [*_SETTING["required"], "nfe", "call"],
    "properties": {**_SETTING["properties"], "nfe": _COUNT, "call": {"type": "string"}},
}
_ROW = {
    **_SETTING,
    "required": [
        *_SETTING["required"], "disagreement", "disagreement_low", "disagreement_high", "safe",
    ],
    "properties": {
        **_SETTING["properties"],
        "disagreement": _NUMBER,
        "disagreement_low": _NUMBER,
        "disagreement_high": _NUMBER,
        "safe": {"type": "boolean"},
    },
}  # fmt: skip
_PROPERTIES = {
    "format": {"const": FORMAT},
    "verdict": {"enum": ["PASS", "FAIL", "INCONCLUSIVE"]},
    "kind": {"enum": ["ode", "solver-bound", "unresolved"]},
    "reasons": {"type": "array", "items": {"type": "string"}},
    "deployed": _SETTING,
    "trained": {"anyOf": [_SETTING, {"enum": ["flow", None]}]},
    "judged": {"enum": ["predictions", "values"]},
    "accept": {"type": "number"},
    "accepted_share": {"type": "number"},
    "confidence": {"type": "number"},
    "samples": _COUNT,
    "disagreement": _NUMBER,
    "disagreement_interval": {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2},
    "measures": {"type": "object"},
    "settings": {"type": "array", "items": _ROW},
    "advice": _ADVICE,
    "provenance": {"type": "object"},
}
SCHEMA = {"type": "object", "required": list(_PROPERTIES), "properties": _PROPERTIES}


def record(result: AuditResult) -> dict[str, Any]:
    """An audit as values of JSON, without the columns of single samples."""
    content = {name: value for name, value in vars(result).items() if name != "per_sample"}
    advice, trained = result.advice, result.trained
    content |= {
        "format": FORMAT,
        "accepted_share": accepted_share(result),
        "deployed": _setting(result.deployed),
        "trained": _setting(trained) if isinstance(trained, Setting) else trained,
        "settings": [vars(row) for row in candidates(result)],
        "advice": advice and {**_setting(advice.setting), "nfe": advice.nfe, "call": advice.call},
    }
    told: dict[str, Any] = plain(content)
    return told


def _setting(setting: Setting) -> dict[str, Any]:
    values = {name: getattr(setting, name) for name in ("steps", "tolerance", "atol")}
    return {"solver": setting.solver.name, **values}


def plain(value: Any) -> Any:
    """Any value as one of strict JSON: null for what is not finite, text for what JSON lacks."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def written(content: dict[str, Any]) -> str:
    """The text of `audit.json`, keys in the order of the alphabet."""
    return json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n"


def read_audit(path: Path) -> dict[str, Any]:
    """Read an `audit.json`.

    Raises:
        InputError: if there is no such file, or it is not the record of an audit.
    """
    remedy = "give the audit.json that `solverproof audit` wrote"
    try:
        content = json.loads(regular(path).read_text(encoding="utf-8"), parse_constant=_refuse)
    except (OSError, RecursionError, ValueError) as error:
        raise InputError(f"{path}: {error}; {remedy}") from error
    wrong = best_match(Draft202012Validator(SCHEMA).iter_errors(content))
    if wrong:
        raise InputError(f"{path}: {wrong.json_path}: {wrong.message}; {remedy}")
    audit: dict[str, Any] = content
    return audit


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
