"""Search spaces of other tools: RecBole's ``hyper.test`` files and GRU4Rec's ``paramspaces`` JSON lines."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reeltune.config import Config, Document
from reeltune.errors import ConfigError, first_line
from reeltune.models.registry import DEFAULT_NETWORK, model_entry
from reeltune.training.config import TrainingConfig
from reeltune.tuning.space.file import parse_space

FIELDS = {
    "learning_rate": "training.learning_rate",
    "train_batch_size": "training.batch_size",
    "batch_size": "training.batch_size",
    "weight_decay": "training.weight_decay",
    "epochs": "training.max_epochs",
    "n_epochs": "training.max_epochs",
    "stopping_step": "training.patience",
    "MAX_ITEM_LIST_LENGTH": "training.history_length",
    "embedding_size": "model.embedding_dim",
    "hidden_size": "model.hidden_dim",
    "layers": "model.hidden_dim",
    "num_layers": "model.n_layers",
    "n_layers": "model.n_layers",
    "dropout_prob": "model.embedding_dropout",
    "dropout_p_embed": "model.embedding_dropout",
    "hidden_dropout_prob": "model.dropout",
    "dropout_p_hidden": "model.dropout",
}
"""Fields by the names of GRU4Rec and of RecBole, whose own GRU4Rec drops out embeddings only."""


def import_space(path: Path, model: str = DEFAULT_NETWORK) -> tuple[str, list[str]]:
    """Return the space in a file of RecBole or GRU4Rec as YAML for ``model``, and what is left out.

    Parameters that reeltune has under another name are renamed. Those that it has not, or whose bounds
    lie outside its own, are left out, with the reason.

    Raises:
        ConfigError: The file cannot be read, is of neither kind, or holds nothing that can be searched.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {first_line(error)}") from error
    sections: dict[str, Config] = {
        "model": model_entry(model, "network").config_class(),
        "training": TrainingConfig(),
    }
    taken: dict[str, str] = {}
    left_out: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        try:
            name, entry = _read_gru4rec(line) if line.startswith("{") else _read_recbole(line)
        except (ValueError, SyntaxError, TypeError, OverflowError, KeyError) as error:
            problem = f"it has no {error}" if isinstance(error, KeyError) else error
            raise ConfigError(f"{path}:{number}: {line!r} is not understood: {problem}") from error
        field = FIELDS.get(name, "")
        try:
            if not field or field in taken:
                why = f"{field} is given twice" if field else f"reeltune has no field for it, for {model}"
                raise ConfigError(why)
            taken[field] = _line(field, entry, sections, model)
        except ConfigError as error:
            left_out.append(f"{name}: {str(error).splitlines()[0].removeprefix(f'it:1: {field}: ')}")
    if not taken:
        raise ConfigError(f"{path}: nothing in it can be searched; " + ("; ".join(left_out) or "it is empty"))
    head = [f"# From {path.name}.", *(f"# Not taken: {problem}" for problem in left_out)]
    return "\n".join([*head, f"model: {model}", "space:", *taken.values()]) + "\n", left_out


def _read_recbole(line: str) -> tuple[str, dict[str, Any]]:
    """Read ``name kind values``; the bounds of ``loguniform`` are natural logarithms, as in hyperopt."""
    name, kind, *rest = line.split()
    if kind == "choice":
        return name, {"kind": "choice", "values": list(ast.literal_eval("".join(rest)))}
    numbers = [float(part) for part in "".join(rest).split(",")]
    if kind == "quniform":
        low, high, step = numbers
        return name, {"kind": "float", "low": low, "high": high, "step": step}
    low, high = numbers
    if kind == "loguniform":
        low, high = (float(f"{math.exp(number):.6g}") for number in numbers)
        return name, {"kind": "float", "low": low, "high": high, "log": True}
    if kind != "uniform":
        raise ValueError(f"unknown kind {kind!r}; known: choice, loguniform, quniform, uniform")
    return name, {"kind": "float", "low": low, "high": high}


def _read_gru4rec(line: str) -> tuple[str, dict[str, Any]]:
    """Read ``{"name", "dtype", "values", "step", "log"}``."""
    value = json.loads(line)
    name, kind, values = value["name"], value["dtype"], value["values"]
    if kind == "categorical":
        return name, {"kind": "choice", "values": list(values)}
    if kind not in ("int", "float"):
        raise ValueError(f"unknown dtype {kind!r}; known: categorical, float, int")
    low, high = map(float, values)
    scale = {"log": True} if value.get("log") else {"step": float(value["step"])} if value.get("step") else {}
    return name, {"kind": "float", "low": low, "high": high, **scale}


def _line(field: str, entry: Mapping[str, Any], sections: Mapping[str, Config], model: str) -> str:
    """Return the line of the space for ``field``, its values of the type that the field has.

    Raises:
        ConfigError: It is no parameter that can be searched.
    """
    section, _, key = field.partition(".")
    current, fitted = getattr(sections[section], key), dict(entry)
    if type(current) is int and fitted["kind"] == "float":
        fitted |= {"kind": "int", "low": math.ceil(fitted["low"]), "high": math.floor(fitted["high"])}
        fitted |= {"step": max(round(fitted["step"]), 1)} if "step" in fitted else {}
    elif type(current) is float and fitted["kind"] == "choice":
        fitted["values"] = [float(value) if type(value) is int else value for value in fitted["values"]]
    parse_space(Document({"model": model, "space": {field: fitted}}, {}, "it"), sections, model)
    inside = ", ".join(f"{key}: {_scalar(value)}" for key, value in fitted.items())
    return f"  {field}: {{{inside}}}"


def _scalar(value: Any) -> str:
    """Return ``value`` as YAML; plain words need no quotes."""
    return value if isinstance(value, str) and value.isalpha() else json.dumps(value)
