"""Rows as read to a prepared data set, with a ledger of all that changes a number."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import numpy as np

from reeltune.data.config import DataConfig
from reeltune.data.interactions import SOURCE_SCHEME, RawDataset
from reeltune.data.prepare.ordering import TIE_RULES
from reeltune.data.prepare.preparation import PREPARATION, RowCounts, id_texts, prepare_sequences
from reeltune.data.prepare.side import SideInformation, align_movies, align_tags, align_users
from reeltune.data.prepare.splits import Parts, fingerprint
from reeltune.data.prepare.summary import Summary, summarize
from reeltune.data.prepared import Catalogue, Ledger


@dataclass(frozen=True)
class PreparationReport(RowCounts):
    """What was read and what was left out."""

    origin: str
    notes: tuple[str, ...] = ()
    """What the reader left out or could not read."""
    n_without_history: int = 0
    """Targets that were left out because their user has no earlier event."""
    n_train_only_users: int = 0
    """Users with too few events for the split, who are trained on and never asked."""
    n_unseen_targets: int = 0
    """Validation and test targets whose movie is in no training event; they are kept."""


@dataclass(frozen=True)
class Dataset:
    """A prepared data set with all its parts, the test too: what is written to the disk."""

    parts: Parts
    catalogue: Catalogue
    side: SideInformation
    ledger: Ledger
    report: PreparationReport
    summary: Summary


def prepare_dataset(raw: RawDataset, config: DataConfig, *, origin: str) -> Dataset:
    """Return ``raw`` prepared as ``config`` asks."""
    prepared = prepare_sequences(
        raw.interactions,
        k_core=config.k_core,
        min_user_events=config.min_user_events,
        fold=raw.fold,
        ties=config.ties,
    )
    sequences = prepared.sequences
    catalogue, details = align_movies(id_texts(prepared.item_ids), raw.movies)
    with ThreadPoolExecutor(3) as others:  # NumPy and hashlib let go of the interpreter
        digests = [others.submit(raw.interactions.sha256, scheme) for scheme in (SOURCE_SCHEME, 1)]
        summary = others.submit(summarize, sequences, catalogue)
        parts = config.split.parts(prepared)
    held_out = (parts.validation, parts.test)
    tags = None
    if raw.tags is not None:
        tags = align_tags(
            prepared.user_ids, catalogue.item_ids, raw.tags, held_out=held_out, before=parts.before
        )
    is_trained = np.zeros(catalogue.n_items + 1, dtype=bool)
    is_trained[parts.train.items] = True
    return Dataset(
        parts=parts,
        catalogue=catalogue,
        side=SideInformation(align_users(prepared.user_ids, raw.users), details, tags),
        ledger=Ledger(
            dataset=config.dataset,
            source_sha256=digests[0].result(),
            source_scheme=SOURCE_SCHEME,
            source_sha256_1=digests[1].result(),
            rating_scale=config.scale,
            split=config.split.text(),
            tie_rule=TIE_RULES[config.ties],
            k_core=config.k_core,
            min_user_events=config.min_user_events,
            n_users=sequences.n_users,
            n_items=catalogue.n_items,
            n_interactions=sequences.n_events,
            n_train_only_users=parts.n_train_only_users,
            n_duplicates=prepared.counts.n_duplicates,
            people_sha256=raw.credits_sha256,
            fingerprint=fingerprint(parts.test, prepared.user_ids, prepared.item_ids),
            preparation=PREPARATION,
        ),
        report=PreparationReport(
            **asdict(prepared.counts),
            origin=origin,
            notes=raw.notes,
            n_without_history=parts.n_without_history,
            n_train_only_users=parts.n_train_only_users,
            n_unseen_targets=sum(int((~is_trained[queries.target]).sum()) for queries in held_out),
        ),
        summary=summary.result(),
    )
