import numpy as np
import pytest
from data_parts import rows
from hypothesis import given
from hypothesis import strategies as st

from reeltune.data.config import DataConfig
from reeltune.data.interactions import Interactions, RawDataset
from reeltune.data.store import open_held_out, open_tuning, write_dataset
from reeltune.data.texts import Texts
from reeltune.errors import DataError

TEXTS = st.lists(st.text(max_size=8), min_size=1, max_size=20)


@given(TEXTS, st.data())
def test_texts_come_back_and_can_be_picked(texts, data):
    flat = Texts.of(texts)
    assert list(flat) == texts
    assert flat.is_present.tolist() == [text != "" for text in texts]
    which = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=10))
    picked = flat.select(np.array(which, dtype=np.int64))
    assert list(picked) == [texts[i] for i in which]
    mask = np.array([len(text) % 2 == 0 for text in texts])
    assert list(flat.select(mask).select(np.ones(mask.sum(), bool))) == [t for t in texts if len(t) % 2 == 0]


def with_reviews(values):
    plain = rows(*values)
    return Interactions(
        user=plain.user,
        item=plain.item,
        rating=plain.rating,
        timestamp=plain.timestamp,
        review=Texts.of([f"user {u} on {i}" for u, i, _, _ in values]),
        label=np.array([i % 2 for _, i, _, _ in values], dtype=np.int8),
    )


def test_reviews_stay_with_their_events(tmp_path):
    values = [(u, 10 + (u + t) % 5, 3, 9 - t) for u in (2, 1) for t in range(5)]
    write_dataset(tmp_path / "e", RawDataset(with_reviews(values)), DataConfig(dataset="synthetic", k_core=1))
    data = open_tuning(tmp_path / "e")
    train, test = data.train, open_held_out(tmp_path / "e").test.sequences
    assert isinstance(train.reviews.data, np.memmap)
    for sequences in (train, data.validation.sequences, test):
        assert len(sequences.reviews) == sequences.n_events == len(sequences.labels)
        users = np.repeat([1, 2], sequences.lengths)
        for event, (user, item) in enumerate(zip(users, sequences.items, strict=True)):
            movie = data.catalogue.item_ids[item - 1]
            assert sequences.reviews[event] == f"user {user} on {movie}"
            assert sequences.labels[event] == int(movie) % 2


def test_no_text_of_a_target_reaches_tuning(tmp_path):
    values = [(u, 10 + t, 3, t) for u in (1, 2) for t in range(5)]
    write_dataset(tmp_path / "e", RawDataset(with_reviews(values)), DataConfig(dataset="synthetic", k_core=1))
    everything = b"".join(path.read_bytes() for path in (tmp_path / "e" / "tuning").iterdir())
    assert b"user 1 on 12" in everything
    assert b"user 1 on 13" not in everything  # the validation target
    held_out = b"".join(path.read_bytes() for path in (tmp_path / "e" / "held_out").iterdir())
    assert b"user 1 on 13" in held_out
    assert b"user 1 on 14" not in held_out  # the test target
    outside = b"".join(path.read_bytes() for path in (tmp_path / "e").iterdir() if path.is_file())
    assert b"user 1 on" not in outside


def test_columns_must_be_equally_long():
    plain = rows((1, 2, 3, 4))
    with pytest.raises(DataError, match="columns of"):
        Interactions(plain.user, plain.item, plain.rating, plain.timestamp, review=Texts.of(["a", "b"]))
