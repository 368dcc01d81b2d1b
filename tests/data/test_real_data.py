"""The real data sets, where the folder beside the checkout holds them."""

import csv
import gzip
import io
import zipfile

import numpy as np
import pytest
from data_parts import write_zip

from reeltune.data.config import DataConfig
from reeltune.data.prepare.preparation import prepare_sequences
from reeltune.data.readers.credits import read_credits
from reeltune.data.readers.movielens import read_dat_edition, read_ranked_edition
from reeltune.data.sources.source import FileSet
from reeltune.data.store import open_held_out, open_side, open_summary, open_tuning, prepare
from reeltune.errors import DataError


@pytest.mark.soak
@pytest.mark.parametrize(
    ("name", "n_users", "n_items", "n_interactions"),
    [
        # The first two from the protocol most papers share; the others are this project's own counts.
        ("movielens-100k", 943, 1349, 99_287),
        ("movielens-1m", 6040, 3416, 999_611),
        ("movielens-latest-small", 610, 3650, 90_274),
        ("movielens-1m-part", 2999, 3266, 486_907),
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


@pytest.mark.soak
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


@pytest.mark.soak
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


@pytest.mark.soak
def test_a_part_of_ml1m_is_not_taken_for_the_whole(shared_data, tmp_path, monkeypatch):
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        "reeltune.data.sources.locate.fetch_address",
        lambda address, *_, **__: (_ for _ in ()).throw(DataError(f"{address}: no network in tests")),
    )
    with pytest.raises(DataError, match="487,650 rows, the whole data set has 1,000,209"):
        prepare(
            DataConfig(dataset="movielens-1m"), data_dir=shared_data / "ml-1m" / "ml-1m-users-0001-2999.zip"
        )


@pytest.mark.soak
@pytest.mark.parametrize("fold", [1, 5])
def test_official_folds_ask_for_the_publishers_rows(shared_data, fold):
    config = DataConfig.model_validate(
        {"dataset": "movielens-100k", "k_core": 1, "split": {"name": "official-fold", "fold": fold}}
    )
    directory = prepare(config, data_dir=shared_data)
    data, test = open_tuning(directory), open_held_out(directory).test
    with zipfile.ZipFile(shared_data / "ml-100k" / "ml-100k.zip") as archive:
        lines = archive.read(f"ml-100k/u{fold}.test").decode().split("\n")[:-1]
    users = open_side(directory).users.ids
    asked = zip(test.user, test.target, test.target_rating, test.target_timestamp, strict=True)
    found = {f"{users[u]}\t{data.catalogue.item_ids[i - 1]}\t{r:g}\t{t}" for u, i, r, t in asked}
    assert found == set(lines)
    assert data.train.n_events + data.validation.n_queries == 80_000
    assert test.sequences.n_events == 80_000


@pytest.mark.soak
@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("movielens-100k", ("1", 24, "M", "technician"), ("943", 22, "M", "student")),
        ("movielens-1m", ("1", 1, "F", "K-12 student"), ("6040", 25, "M", "doctor/health care")),
    ],
)
def test_users_tell_of_themselves(shared_data, name, first, last):
    users = open_side(prepare(DataConfig(dataset=name), data_dir=shared_data)).users
    columns = (users.ids, users.ages, users.genders, users.occupations)
    assert tuple(column[0] for column in columns) == first
    assert tuple(column[-1] for column in columns) == last
    assert -1 not in users.ages


@pytest.mark.soak
def test_tags_and_links_of_latest_small(shared_data):
    side = open_side(prepare(DataConfig(dataset="movielens-latest-small"), data_dir=shared_data))
    assert side.details.imdb_ids[0] == "0114709"  # Toy Story
    assert 2000 < len(side.tags.texts) <= 3683
    assert side.users.ages == ()


@pytest.mark.soak
def test_rotten_tomatoes(shared_data):
    directory = prepare(DataConfig(dataset="rotten-tomatoes"), data_dir=shared_data)
    data, (report, summary) = open_tuning(directory), open_summary(directory)
    assert report.n_rows == 54_432 - 2_722  # those without a critic, counted in the shared folder's README
    assert summary.n_interactions == data.ledger.n_interactions
    # Of all rows in the folder's README 61 % are fresh, and of the praised ones the stars are high.
    known = ~np.isnan(data.train.ratings)
    praised = data.train.labels == 1
    assert 0.55 < praised.mean() < 0.7
    assert data.train.ratings[known & praised].mean() > data.train.ratings[known & ~praised].mean() + 1
    assert data.train.reviews.is_present.mean() > 0.8
    assert len(open_side(directory).details.plots) == data.n_items


@pytest.mark.soak
def test_the_head_of_the_amazon_reviews(shared_data):
    directory = prepare(DataConfig(dataset="amazon-reviews"), data_dir=shared_data)
    report, _ = open_summary(directory)
    assert report.n_rows == 999
    assert open_tuning(directory).train.reviews.is_present.all()


def test_features_are_no_ratings(shared_data, tmp_path, monkeypatch):
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path / "cache"))
    for folder in ("sentiment", "movie-metadata"):
        with pytest.raises(DataError, match=r"holds no rotten-tomatoes \(rt.reviews.tsv.gz\)"):
            prepare(DataConfig(dataset="rotten-tomatoes"), data_dir=shared_data / folder)


def test_stars_agree_with_the_verdicts(shared_data):
    """The shares that docs/data.md gives for the rule of the scores."""
    text = gzip.decompress((shared_data / "rotten-tomatoes" / "rt.reviews.tsv.gz").read_bytes())
    rows = list(csv.reader(io.StringIO(text.decode("latin-1"), newline=""), delimiter="\t"))[1:]
    shares = {}
    for score in ("3/5", "B-", "2.5/5", "C+"):
        verdicts = [row[3] == "fresh" for row in rows if row[2].strip() == score]
        shares[score] = round(100 * sum(verdicts) / len(verdicts))
    assert shares == {"3/5": 92, "B-": 95, "2.5/5": 11, "C+": 17}


@pytest.mark.soak
def test_years_of_latest_small_split_by_the_calendar(shared_data):
    split = {
        "name": "global-time",
        "validation_from": "2017-01-01",
        "test_from": "2018-01-01",
        "targets": "successive",
    }
    config = DataConfig.model_validate({"dataset": "movielens-latest-small", "split": split})
    directory = prepare(config, data_dir=shared_data)
    data, test = open_tuning(directory), open_held_out(directory).test
    first, second = 1_483_228_800, 1_514_764_800
    assert data.train.timestamps.max() < first <= data.validation.target_timestamp.min()
    assert data.validation.target_timestamp.max() < second <= test.target_timestamp.min()
    assert (data.validation.sequences.timestamps < second).all()
    report, _ = open_summary(directory)
    n_targets = data.validation.n_queries + test.n_queries + report.n_without_history
    assert data.train.n_events + n_targets == data.ledger.n_interactions


@pytest.mark.soak
@pytest.mark.parametrize(
    ("name", "n_directors", "n_actors", "n_words"),
    [
        ("item_people.csv", 8561, 8203, 3530),
        ("skfusion-actors.csv.gz", 0, 8562, 0),
        ("melu-ml1m-extrainfos.zip", 3869, 3874, 3845),
        ("hetrec2011-movielens-2k-v2-partial.zip", 10_155, 0, 0),
        ("imdb5000-movie_metadata.zip", 4817, 4912, 4768),
    ],
)
def test_tables_of_credits(shared_data, name, n_directors, n_actors, n_words):
    found = read_credits(shared_data / "movie-metadata" / name)
    counts = (len(found.directors), len(found.actors), len(found.keywords))
    assert counts == (n_directors, n_actors, n_words)
    if not found.is_by_imdb:
        told = found.directors.get("1") or found.actors["1"]
        assert told[0] in {"John Lasseter", "Tom Hanks"}  # of Toy Story
