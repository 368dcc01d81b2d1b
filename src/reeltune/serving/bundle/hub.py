"""The layout of the Hugging Face Hub: a header of YAML on the card, and which files are large.

A bundle with it can be pushed as it is: ``huggingface-cli upload NAME DIR``. Nothing here needs a network.
"""

from __future__ import annotations

from typing import Any

import yaml

from reeltune.report.cards import CardFacts

__all__ = ["GIT_ATTRIBUTES", "hub_header"]

GIT_ATTRIBUTES = "".join(
    f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in ("*.safetensors", "*.onnx", "*.ckpt")
)
"""Files that the Hub keeps in its store of large files."""


def hub_header(facts: CardFacts) -> str:
    """Return the header of the card, with the figures as a ``model-index``.

    The licence is left as ``other``: whoever publishes decides, within the licence of the data.
    """
    is_tested = facts.evaluation is not None
    values = (
        {label: figure.value for label, figure in facts.evaluation.metrics.items()}
        if facts.evaluation is not None
        else dict(facts.validation)
    )
    metrics = [{"type": label, "value": round(value, 6)} for label, value in values.items()]
    result = {
        "task": {"type": "recommendation", "name": "next movie"},
        "dataset": {
            "type": facts.ledger.dataset,
            "name": facts.ledger.dataset,
            "split": "test" if is_tested else "validation",
        },
        "metrics": metrics,
    }
    name = f"{facts.model['name']}-{facts.ledger.dataset}"
    header: dict[str, Any] = {
        "library_name": "reeltune",
        "license": "other",
        "license_name": "see-data-and-protocol",
        "tags": ["recommendation", "sequential-recommendation", "movies", str(facts.model["name"]), "onnx"],
        "datasets": [facts.ledger.dataset],
        "metrics": list(values),
        "model-index": [{"name": name, "results": [result]}],
    }
    return f"---\n{yaml.safe_dump(header, sort_keys=False, allow_unicode=True)}---\n"
