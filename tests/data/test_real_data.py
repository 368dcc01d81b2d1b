"""The real data sets, where the folder beside the checkout holds them."""

import zipfile

import numpy as np
import pytest
from data_parts import write_zip

from reeltune.data.config import DataConfig
from reeltune.data.movielens import read_dat_edition, read_ranked_edition
from reeltune.data.preparation import prepare_sequences
from reeltune.data.sources import FileSet
from reeltune.data.store import open_held_out, open_tuning, prepare
from reeltune.errors import DataError


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "n_users", "n_items", "n_interactions"),
    [
        # The first two from the protocol most papers share; the last is this project's own count.
        ("movielens-100k", 943, 1349, 99_287),
        ("movielens-1m", 6040, 3416, 999_611),
        ("movielens-latest-small", 610, 3650, 90_274),
    ],
)
def test_counts(shared_data, name, n_users, n_items, n_interactions):
    data = open_tuning(prepare(DataConfig(dataset=name), data_dir=shared_data))
    ledger = data.ledger
    assert (ledger.n_users, ledger.n_items, ledger.n_interactions) == (n_users, n_items, n_interactions)
    assert ledger.n_duplicates == 0
    assert "Toy Story (1995)" in data.catalogue.titles
    assert all(title[-1] == ")" for title in data.catalogue.titles[:50])


def recbole_wheel(shared_data, path):
    """Write what the RecBole wheel holds, made from the publisher's archive: the bytes are equal."""
    with zipfile.ZipFile(shared_data / "ml-100k" / "ml-100k.zip") as archive:
        ratings = archive.read("ml-100k/u.data")
        items = archive.read("ml-100k/u.item").decode("latin-1")
        genres = [line.split("|")[0] for line in archive.read("ml-100k/u.genre").decode().split()]
    lines = ["item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq"]
    for line in items.splitlines():
        fields = line.split("|")
        title = fields[1].strip()
        name, year = (title[:-7], title[-5:-1]) if title.endswith(")") else ("unkonwn", "unkonwn")
        flags = " ".join(genre for genre, flag in zip(genres, fields[5:], strict=True) if flag == "1")
        lines.append(f"{fields[0]}\t{name}\t{year}\t{flags}")
    folder = "recbole/dataset_example/ml-100k/"
    header = b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    return write_zip(
        path,
        {
            folder + "ml-100k.inter": header + ratings,
            folder + "ml-100k.item": ("\n".join(lines) + "\n").encode(),
        },
    )


@pytest.mark.slow
def test_the_copy_in_the_package_gives_the_same_data(shared_data, tmp_path, monkeypatch):
    config = DataConfig(dataset="movielens-100k")
    publisher = prepare(config, data_dir=shared_data)
    wheel = recbole_wheel(shared_data, tmp_path / "recbole-1.2.1.whl")
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path / "cache"))
    package = prepare(config, data_dir=wheel)
    first, second = open_tuning(publisher), open_tuning(package)
    assert first.ledger == second.ledger
    assert first.catalogue == second.catalogue
    assert np.array_equal(first.train.items, second.train.items)
    assert np.array_equal(open_held_out(publisher).test.target, open_held_out(package).test.target)


@pytest.mark.slow
def test_ranks_give_the_order_of_the_timestamps(shared_data):
    folder = shared_data / "ml-1m"
    timed = read_dat_edition(FileSet(folder / "ml-1m-users-0001-2999.zip", "ml-1m/", is_archive=True))
    ranked = read_ranked_edition(FileSet(folder / "ml-1m-all-ratings-seq.zip", "ml-1m/", is_archive=True))
    by_time = prepare_sequences(timed.interactions, k_core=1, min_user_events=3)
    by_rank = prepare_sequences(ranked.interactions, k_core=1, min_user_events=3)
    n_events = by_time.sequences.n_events
    assert n_events == 487_650
    rated = by_rank.item_ids[by_rank.sequences.items[:n_events] - 1]
    assert np.array_equal(by_time.item_ids[by_time.sequences.items - 1], rated)
    assert np.array_equal(by_time.sequences.timestamps, by_rank.sequences.timestamps[:n_events])


@pytest.mark.slow
def test_a_part_of_ml1m_is_not_taken_for_the_whole(shared_data, tmp_path, monkeypatch):
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        "reeltune.data.acquire.fetch_address",
        lambda address, *_, **__: (_ for _ in ()).throw(DataError(f"{address}: no network in tests")),
    )
    with pytest.raises(DataError, match="487,650 rows, the whole data set has 1,000,209"):
        prepare(
            DataConfig(dataset="movielens-1m"), data_dir=shared_data / "ml-1m" / "ml-1m-users-0001-2999.zip"
        )
