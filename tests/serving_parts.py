"""The parts of a small bundle: an untrained network over a made-up catalogue."""

import torch

from reeltune.data.prepared import Catalogue, Ledger
from reeltune.models.networks.gru import GRUConfig
from reeltune.models.registry import build_network
from reeltune.serving.bundle.bundle import BundleParts

WORDS = ("Amber", "Birch", "Cedar", "Dune", "Ember", "Fjord", "Grove", "Harbour", "Isle", "Jade")


def make_catalogue(n_items: int = 30) -> Catalogue:
    years = tuple(1960 + 2 * i for i in range(n_items))
    names = [f"{WORDS[i % 10]} {WORDS[(i // 10 + 3) % 10]}" for i in range(n_items)]
    names[0], names[1] = "Toy Story", "Godfather, The"
    return Catalogue(
        item_ids=tuple(str(500 + i) for i in range(n_items)),
        titles=tuple(f"{name} ({year})" for name, year in zip(names, years, strict=True)),
        years=years,
        genres=tuple(("Comedy",) if i % 3 else ("Drama", "War") for i in range(n_items)),
    )


def make_ledger(n_items: int = 30) -> Ledger:
    return Ledger(
        dataset="made-up",
        source_sha256="0" * 64,
        split="leave-one-out",
        tie_rule="file order",
        k_core=5,
        n_users=10,
        n_items=n_items,
        n_interactions=100,
        n_duplicates=0,
        fingerprint="f" * 64,
        preparation="1",
    )


def make_parts(**changes: object) -> BundleParts:
    torch.manual_seed(0)
    network = build_network(GRUConfig(embedding_dim=8, hidden_dim=8), 30)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_()
    parts = {
        "network": network.eval(),
        "training": {"learning_rate": 0.004},
        "catalogue": make_catalogue(),
        "ledger": make_ledger(),
        "metrics": {"validation": {"ndcg@10": 0.1}},
        "card": "# A card\n",
    }
    return BundleParts(**(parts | changes))  # type: ignore[arg-type]
