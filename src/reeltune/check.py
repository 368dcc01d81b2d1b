"""Looks at an experiment without running it: all its defaults, or all that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from reeltune.config import Document, load_yaml, with_change
from reeltune.errors import ConfigError
from reeltune.shipped import find_yaml
from reeltune.tuning.study.experiment_file import Experiment, resolve

NEUTRAL = {"data": {"dataset": "synthetic"}}


def check_experiment(path: Path, changes: Sequence[str] = ()) -> Experiment:
    """Return the experiment in ``path``, resolved.

    Raises:
        ConfigError: With every mistake of the file, a line each, not with the first part's alone.
    """
    path = find_yaml(path, "experiments")
    document = load_yaml(path)
    for change in changes:
        document = with_change(document, change)
    problems: list[str] = []
    for candidate in _candidates(document):
        try:
            experiment = resolve(candidate, path)
            if candidate is document:
                if experiment.space is not None:
                    experiment.study_spec()
                return experiment
        except ConfigError as error:
            problems += [line for line in str(error).splitlines() if line not in problems]
    raise ConfigError("\n".join(problems))


def _candidates(document: Document) -> Iterator[Document]:
    """Yield the document, then versions of it in which only some parts can be wrong."""
    yield document
    value = document.value
    study, model = value.get("study"), value.get("model")
    space = {"space": study["space"]} if isinstance(study, dict) and "space" in study else None
    name = {"name": model["name"]} if isinstance(model, dict) and "name" in model else None
    parts = {key: part for key, part in (("model", model), ("training", value.get("training"))) if part}
    bare = NEUTRAL | ({"model": name} if name else {}) | ({"study": space} if space else {})
    for key, part in parts.items():
        yield Document(bare | {key: part}, document.lines, document.source)
    yield Document(bare, document.lines, document.source)
