from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reeltune.data.sources.cache import list_cache
from reeltune.errors import ConfigError, DataError, UserError
from reeltune.serving.bundle.bundle import export_bundle
from reeltune.serving.recommend import user_table
from reeltune.serving.recommend.filters import Filters
from reeltune.serving.recommend.many import recommend_many
from reeltune.serving.recommend.recommender import Recommender
from reeltune.serving.recommend.rerank import Reranking
from serving_parts import make_catalogue, make_parts


@pytest.fixture(name="recommender")
def _recommender(bundle_dir: Path) -> Recommender:
    return Recommender.load(bundle_dir)


def _table(n_people: int = 60, seed: int = 0) -> pd.DataFrame:
    """Return shuffled ratings; movie 499 is in no catalogue, and some ratings are repeated."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 20, size=n_people)
    user = np.repeat([f"person {i}" for i in range(n_people)], lengths)
    frame = pd.DataFrame(
        {
            "user": user,
            "item": rng.integers(499, 530, size=len(user)).astype(str),
            "rating": rng.integers(1, 11, size=len(user)) / 2,
            "timestamp": rng.permutation(len(user)),
        }
    )
    return frame.sample(frac=1.0, random_state=seed, ignore_index=True)


def _expected(recommender: Recommender, frame: pd.DataFrame, user: str, k: int, **choice) -> list[str]:
    rows = frame[(frame["user"] == user) & (frame["item"] != "499")].sort_values("timestamp", kind="stable")
    history = list(zip("id:" + rows["item"], rows["rating"], strict=True))
    return [line.item_id for line in recommender.recommend(history, k, **choice)] if history else []


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("rows_a_part", [1 << 20, 37])
def test_each_list_is_that_of_one_person_alone(
    recommender: Recommender, tmp_path: Path, form: str, rows_a_part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_table, "ROWS_A_PART", rows_a_part)
    frame = _table()
    path, out = tmp_path / f"t.{form}", tmp_path / "lists.parquet"
    frame.to_csv(path, index=False) if form == "csv" else frame.to_parquet(path, index=False)
    steps: list[tuple[int, int]] = []
    done = recommend_many(recommender, path, out, k=4, progress=lambda *step: steps.append(step))
    lists = pd.read_parquet(out)
    by_user = lists.groupby("user", sort=False)["item"].agg(list)
    for user in frame["user"].unique():
        assert by_user.get(user, []) == _expected(recommender, frame, user, 4)
    assert (lists.groupby("user")["rank"].agg(list).map(lambda r: r == list(range(1, len(r) + 1)))).all()
    assert done.n_users == lists["user"].nunique() == frame["user"].nunique() - done.n_without
    assert done.n_unknown == (frame["item"] == "499").sum()
    assert done.unknown == ("499",)
    assert steps[-1] == (len(frame), len(frame))
    assert list(lists.columns) == ["user", "rank", "item", "title", "score"]


def test_filters_and_weights_hold_for_all(recommender: Recommender, tmp_path: Path) -> None:
    frame = _table(20)
    frame.to_csv(tmp_path / "t.csv", index=False)
    choice = {"filters": Filters(genres=("Comedy",)), "rerank": Reranking(novelty=0.5, calibration=0.3)}
    recommend_many(recommender, tmp_path / "t.csv", tmp_path / "o.parquet", k=3, **choice)
    lists = pd.read_parquet(tmp_path / "o.parquet").groupby("user")["item"].agg(list)
    for user in lists.index:
        assert lists[user] == _expected(recommender, frame, user, 3, **choice)


def test_titles_will_do_and_order_stands_in_for_time(recommender: Recommender, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("user,title\n7,The Godfather\n8,Nonesuch\n7,toy story\n")
    done = recommend_many(recommender, path, tmp_path / "o.parquet", k=5)
    assert (done.n_users, done.n_without) == (1, 1)
    lists = pd.read_parquet(tmp_path / "o.parquet")
    expected = recommender.recommend(["The Godfather", "Toy Story"], k=5)
    assert lists["item"].tolist() == [line.item_id for line in expected]
    np.testing.assert_allclose(lists["score"], [line.score for line in expected], atol=1e-5)


def test_movies_of_one_title_are_one_movie(tmp_path: Path) -> None:
    base = make_catalogue()
    titles, years = (*base.titles[:-1], base.titles[0]), (*base.years[:-1], base.years[0])
    catalogue = type(base)(base.item_ids, titles, years, base.genres)
    recommender = Recommender.load(export_bundle(make_parts(catalogue=catalogue), tmp_path / "b"))
    (tmp_path / "t.csv").write_text("user,item\na,500\n")
    recommend_many(recommender, tmp_path / "t.csv", tmp_path / "o.parquet", k=30)
    assert len(pd.read_parquet(tmp_path / "o.parquet")) == 28


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("who,item\na,500\n", "columns who, item; it needs user"),
        ("user,rating\na,3\n", "it needs user, and item"),
        ("user,item,rating\na,500,good\n", "t.csv:2: rating is 'good'; it must be a number"),
        ("user,item,rating\na,500,7\n", "t.csv:2: rating is '7'; it must lie in 0.5 to 5"),
        ("user,item\na,500\n,501\n", "t.csv:3: user is empty"),
        ("", "the file is empty"),
        ("user,item\n", "none of its 0 rows"),
        (
            "user,item\na,9999\nb,9998\n",
            "none of its 2 rows is of a movie of the catalogue, e.g. '9999', '9998'",
        ),
        ("user,item,item\na,500,501\n", "t.csv:1: 2 columns are called 'item'"),
        ("user,item,rating\na,500,4,5\n", "t.csv:2: 4 fields in 'a,500,4,5'; 3 parted by"),
        ("user,item,rating\na,500,4\nb,500,1_0\n", "t.csv:3: rating is '1_0'; it must be a number"),
        ("user,item,timestamp\na,500,1561888801000\n", "t.csv:2: timestamp is .* it must be seconds"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(
    recommender: Recommender, tmp_path: Path, text: str, match: str
) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=match) as caught:
        recommend_many(recommender, tmp_path / "t.csv", tmp_path / "o.parquet")
    assert "\n" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle", "t.csv"]


def test_a_damaged_or_absent_table_and_a_wrong_k_are_refused(
    recommender: Recommender, tmp_path: Path
) -> None:
    (tmp_path / "t.parquet").write_bytes(b"nonsense")
    for name in ("t.parquet", "absent.csv", "absent.parquet"):
        with pytest.raises(DataError, match="cannot read"):
            recommend_many(recommender, tmp_path / name, tmp_path / "o.parquet")
    with pytest.raises(UserError, match="ask for 1 to 30"):
        recommend_many(recommender, tmp_path / "t.csv", tmp_path / "o.parquet", k=0)


def test_a_folder_that_cannot_be_written_is_told(recommender: Recommender, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("user,item\na,500\n")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="a file stands where its folder should be"):
        recommend_many(recommender, tmp_path / "t.csv", tmp_path / "file" / "o.parquet")


def test_ids_are_read_as_in_training(recommender: Recommender, tmp_path: Path) -> None:
    pd.DataFrame({"user": [7.0, 8.0, 7.0], "item": [500.0, 501.0, 502.0]}).to_parquet(tmp_path / "f.parquet")
    pd.DataFrame({"user": [7, 8, 7], "item": [500, 501, 502]}).to_parquet(tmp_path / "i.parquet")
    for name in ("f", "i"):
        recommend_many(recommender, tmp_path / f"{name}.parquet", tmp_path / f"{name}.out", k=3)
    lists = [pd.read_parquet(tmp_path / f"{name}.out") for name in ("f", "i")]
    pd.testing.assert_frame_equal(*lists)
    assert set(lists[0]["user"]) == {"7", "8"}


def test_a_user_may_have_any_name_and_times_any_form(recommender: Recommender, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("user,item,timestamp\nNA,500,2019-06-30\nnull,501,\nNA,502,2019-06-29T12:00:00\n")
    recommend_many(recommender, path, tmp_path / "o.parquet", k=3)
    lists = pd.read_parquet(tmp_path / "o.parquet").groupby("user")["item"].agg(list)
    assert set(lists.index) == {"NA", "null"}
    expected = recommender.recommend(["id:502", "id:500"], 3)
    assert lists["NA"] == [line.item_id for line in expected]


def test_the_type_is_that_of_the_whole_column(recommender: Recommender, tmp_path: Path) -> None:
    rows = "".join(f"a{i},500,4\n" for i in range(120_000))
    (tmp_path / "t.csv").write_text("user,item,rating\n" + rows + "b,500,4.5\nb,501,x\n")
    with pytest.raises(DataError, match=r"t.csv:120003: rating is 'x'"):
        recommend_many(recommender, tmp_path / "t.csv", tmp_path / "o.parquet", k=1)


@pytest.mark.slow
def test_a_killed_run_leaves_no_list_and_the_next_one_tidies_up(bundle_dir: Path, tmp_path: Path) -> None:
    _table(40).to_csv(tmp_path / "t.csv", index=False)
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from reeltune.serving.recommend.many import recommend_many\n"
        "from reeltune.serving.recommend.recommender import Recommender\n"
        "bundle, folder = Path(sys.argv[1]), Path(sys.argv[2])\n"
        "kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "recommend_many(Recommender.load(bundle), folder / 't.csv', folder / 'o.parquet', progress=kill)"
    )
    ended = subprocess.run([sys.executable, "-c", script, bundle_dir, tmp_path], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not (tmp_path / "o.parquet").exists()
    left = {item.path.name for item in list_cache() if item.kind == "leftover"}
    assert len(left) == 1
    recommend_many(Recommender.load(bundle_dir), tmp_path / "t.csv", tmp_path / "o.parquet")
    assert not any(item.kind == "leftover" for item in list_cache())
