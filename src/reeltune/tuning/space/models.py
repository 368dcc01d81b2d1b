"""The configurations of the models that one space searches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reeltune.config import Document, parse
from reeltune.errors import ConfigError, unknown_name
from reeltune.models.registry import MODELS, is_network

__all__ = ["model_configs"]


def model_configs(names: Sequence[str], fixed: Document) -> list[Any]:
    """Return the configuration of each model in ``names`` with the fixed fields put in.

    Of several models, each takes the fixed fields that it has.

    Raises:
        ConfigError: A fixed field belongs to no model, or its value is wrong.
    """
    if len(names) == 1:
        return [parse(MODELS[names[0]].config_class, fixed)]
    for name in names:
        if not is_network(name):
            raise ConfigError(f"{fixed.at()}: the baseline {name} has no training to share; search it alone")
    fields = {name: set(MODELS[name].config_class.model_fields) - {"name"} for name in names}
    known = set().union(*fields.values())
    for key in fixed.value:
        if key == "name":
            raise ConfigError(
                f"{fixed.at(key)}: model.name is fixed here and searched in the space; drop one"
            )
        if key not in known:
            raise ConfigError(f"{fixed.at(key)}: {unknown_name('key', key, known)}")
    configs = []
    for name in names:
        own = {key: value for key, value in fixed.value.items() if key in fields[name]}
        document = Document(own, fixed.lines, fixed.source)
        configs.append(parse(MODELS[name].config_class, document))
    return configs
