"""Search spaces of other tools: RecBole's ``hyper.test`` files and GRU4Rec's ``paramspaces`` JSON lines."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reeltune.config import Config, Document
from reeltune.errors import ConfigError, first_line
from reeltune.models.registry import DEFAULT_NETWORK, model_entry
from reeltune.training.config import TrainingConfig
from reeltune.tuning.space.file import parse_space
from reeltune.tuning.space.parameters import Parameter

__all__ = ["ImportedSpace", "import_space"]

RECBOLE = {
    "learning_rate": "training.learning_rate",
    "train_batch_size": "training.batch_size",
    "weight_decay": "training.weight_decay",
    "epochs": "training.max_epochs",
    "stopping_step": "training.patience",
    "MAX_ITEM_LIST_LENGTH": "training.history_length",
    "embedding_size": "model.embedding_dim",
    "hidden_size": "model.hidden_dim",
    "num_layers": "model.n_layers",
    "n_layers": "model.n_layers",
    "dropout_prob": "model.embedding_dropout",
    "hidden_dropout_prob": "model.dropout",
}
"""Fields by RecBole's names (``recbole/properties``); its GRU4Rec drops out embeddings only."""

GRU4REC = {
    "learning_rate": "training.learning_rate",
    "batch_size": "training.batch_size",
    "n_epochs": "training.max_epochs",
    "layers": "model.hidden_dim",
    "dropout_p_embed": "model.embedding_dropout",
    "dropout_p_hidden": "model.dropout",
}
"""Fields by the names of GRU4Rec's ``paramspaces``."""


@dataclass(frozen=True)
class ImportedSpace:
    """A space read from another tool's file."""

    text: str  # the YAML file of the space
    n_taken: int
    left_out: tuple[str, ...]  # a parameter and why it was not taken


def import_space(path: Path, model: str = DEFAULT_NETWORK) -> ImportedSpace:
    """Return the space in the file ``path`` of RecBole or GRU4Rec as one for ``model``.

    Parameters that reeltune has under another name are renamed. Those that it has not, or whose bounds
    lie outside its own, are left out and told.

    Raises:
        ConfigError: The file cannot be read, is of neither kind, or holds nothing that can be searched.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {first_line(error)}") from error
    numbered = [(number, line.strip()) for number, line in enumerate(lines, 1)]
    numbered = [(number, line) for number, line in numbered if line and not line.startswith("#")]
    if not numbered:
        raise ConfigError(f"{path}: the file is empty; give a hyper.test file or paramspaces JSON lines")
    is_json = numbered[0][1].startswith("{")
    read, names = (_read_gru4rec, GRU4REC) if is_json else (_read_recbole, RECBOLE)
    sections: dict[str, Config] = {
        "model": model_entry(model, "network").config_class(),
        "training": TrainingConfig(),
    }
    taken: dict[str, dict[str, Any]] = {}
    left_out: list[str] = []
    for number, line in numbered:
        where = f"{path}:{number}"
        name, entry = _read_line(read, line, where)
        field = names.get(name)
        problem = f"reeltune has no field for it, for {model}" if field is None else ""
        if field is not None:
            entry, problem = _fitted(field, entry, sections, model)
            problem = "given twice" if field in taken and not problem else problem
        if problem or field is None:
            left_out.append(f"{name}: {problem}")
        else:
            taken[field] = entry
    if not taken:
        raise ConfigError(f"{path}: nothing in it can be searched; " + "; ".join(left_out))
    kind = "GRU4Rec paramspaces" if is_json else "RecBole hyper.test"
    return ImportedSpace(_written(path, kind, model, taken, left_out), len(taken), tuple(left_out))


def _read_line(
    read: Callable[[str], tuple[str, dict[str, Any]]], line: str, where: str
) -> tuple[str, dict[str, Any]]:
    try:
        return read(line)
    except KeyError as error:
        raise ConfigError(f"{where}: {line!r} is not understood: it has no {error}") from error
    except (ValueError, SyntaxError, TypeError, OverflowError) as error:
        raise ConfigError(f"{where}: {line!r} is not understood: {error}") from error


def _read_recbole(line: str) -> tuple[str, dict[str, Any]]:
    """Read ``name kind values``; the bounds of ``loguniform`` are natural logarithms, as in hyperopt."""
    name, kind, *rest = line.split()
    text = "".join(rest)
    if kind == "choice":
        values = ast.literal_eval(text)
        return name, {"kind": "choice", "values": list(values)}
    numbers = [float(part) for part in text.split(",")]
    if kind == "uniform":
        low, high = numbers
        return name, {"kind": "float", "low": low, "high": high}
    if kind == "quniform":
        low, high, step = numbers
        return name, {"kind": "float", "low": low, "high": high, "step": step}
    if kind == "loguniform":
        low, high = (float(f"{math.exp(number):.6g}") for number in numbers)
        return name, {"kind": "float", "low": low, "high": high, "log": True}
    raise ValueError(f"unknown kind {kind!r}; known: choice, loguniform, quniform, uniform")


def _read_gru4rec(line: str) -> tuple[str, dict[str, Any]]:
    """Read ``{"name", "dtype", "values", "step", "log"}``."""
    value = json.loads(line)
    name, kind, values = value["name"], value["dtype"], value["values"]
    if kind == "categorical":
        return name, {"kind": "choice", "values": list(values)}
    if kind not in ("int", "float"):
        raise ValueError(f"unknown dtype {kind!r}; known: categorical, float, int")
    low, high = values
    entry = {"kind": "float", "low": float(low), "high": float(high)}
    if value.get("log"):
        return name, entry | {"log": True}
    return name, entry | ({"step": float(value["step"])} if value.get("step") else {})


def _fitted(
    field: str, entry: Mapping[str, Any], sections: Mapping[str, Config], model: str
) -> tuple[dict[str, Any], str]:
    """Return the line of the space for ``field``, and what is wrong with it, empty if nothing is."""
    section, _, key = field.partition(".")
    current = getattr(sections[section], key, None)
    fitted = dict(entry)
    if isinstance(current, int) and not isinstance(current, bool) and fitted["kind"] == "float":
        fitted |= {"kind": "int", "low": math.ceil(fitted["low"]), "high": math.floor(fitted["high"])}
        if "step" in fitted:
            fitted["step"] = max(round(fitted["step"]), 1)
    elif isinstance(current, float) and fitted["kind"] == "choice":
        fitted["values"] = [float(value) if type(value) is int else value for value in fitted["values"]]
    document = Document({"model": model, "space": {field: fitted}}, {}, "it")
    try:
        parameter: Parameter = parse_space(document, sections, model).space[field]
    except ConfigError as error:
        return fitted, first_line(error).removeprefix(f"it:1: {field}: ").removeprefix("it:1: ")
    plain = parameter.plain()
    is_default = {"when": {}, "log": False, "step": None}
    keys = ("kind", "values", "low", "high", "step", "log")
    return {key: plain[key] for key in keys if key in plain and plain[key] != is_default.get(key, ...)}, ""


def _written(
    path: Path, kind: str, model: str, taken: Mapping[str, Mapping[str, Any]], left_out: list[str]
) -> str:
    lines = [f"# From the {kind} file {path.name}."]
    lines += [f"# Not taken: {problem}" for problem in left_out]
    lines += [f"model: {model}", "space:"]
    for field, entry in taken.items():
        inside = ", ".join(f"{key}: {_scalar(value)}" for key, value in entry.items())
        lines.append(f"  {field}: {{{inside}}}")
    return "\n".join(lines) + "\n"


def _scalar(value: Any) -> str:
    """Return ``value`` as YAML; plain words need no quotes."""
    return value if isinstance(value, str) and value.isalpha() else json.dumps(value)
