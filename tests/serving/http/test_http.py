"""The endpoints: answers, limits, refusals, counters, and a bundle replaced in flight."""

import json
import re
import threading
from pathlib import Path

import pytest
import torch
from starlette.testclient import TestClient

from reeltune.serving.bundle.bundle import export_bundle
from reeltune.serving.http.app import guarded
from reeltune.serving.http.guard import MAX_BODY_BYTES, MAX_UPLOAD_BYTES
from reeltune.serving.http.schema import Lines
from reeltune.serving.http.service import Service
from reeltune.serving.recommend.recommender import Recommender
from serving_parts import make_parts


@pytest.fixture(name="client")
def _client(bundle_dir: Path):
    with TestClient(guarded(Service(bundle_dir), ("localhost",)), base_url="http://localhost") as client:
        yield client


def ask(client: TestClient, **fields):
    return client.post("/recommend", json={"history": [{"movie": "toy story", "rating": 4.5}], **fields})


def messages(response):
    return " ".join(problem["msg"] for problem in response.json()["detail"])


def test_recommend_answers_as_the_recommender(client: TestClient, bundle_dir: Path) -> None:
    answer = ask(client, k=5, explain=True, exclude=["id:503"])
    assert answer.status_code == 200
    expected = Recommender.load(bundle_dir).recommend(
        [("toy story", 4.5)], 5, exclude=["id:503"], is_explained=True
    )
    Lines.model_validate(answer.json(), strict=True, extra="forbid")
    found = answer.json()["movies"]
    assert [(m["rank"], m["item_id"], m["because"]) for m in found] == [
        (line.rank, line.item_id, line.because) for line in expected
    ]
    assert [m["score"] for m in found] == pytest.approx([line.score for line in expected], abs=1e-5)


def test_filters_and_weights_reach_the_list(client: TestClient) -> None:
    dramas = ask(client, genres=["drama"], first_year=1970, k=100).json()["movies"]
    assert dramas
    assert all("Drama" in m["genres"] and m["year"] >= 1970 for m in dramas)
    plain = [m["item_id"] for m in ask(client).json()["movies"]]
    assert plain != [m["item_id"] for m in ask(client, novelty=1.0).json()["movies"]]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"history": []}, "at least 1 item"),
        ({"history": [{"movie": "Toy Story"}] * 501}, "at most 500 items"),
        ({"history": [{"movie": "Toy Story", "rating": 5.5}]}, "ratings go from 0.5 to 5"),
        ({"history": [{"movie": "T" * 301}]}, "at most 300 characters"),
        ({"history": [{"movie": "Toy Stori"}]}, "did you mean 'Toy Story"),
        ({"k": 0}, "greater than or equal to 1"),
        ({"k": 101}, "less than or equal to 100"),
        ({"novelty": 1.5}, "less than or equal to 1"),
        ({"popularity": 0.5}, "export it again"),
        ({"genres": ["Drema"]}, "did you mean 'Drama'"),
        ({"first_year": 2000, "last_year": 1990}, "swap them"),
        ({"histroy": []}, "Extra inputs are not permitted"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(client: TestClient, fields, problem: str) -> None:
    answer = ask(client, **fields)
    assert answer.status_code == 422
    assert problem in messages(answer)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"null", b'{"history": [{"movie": "\\ud800"}], "k": NaN}', b"\xff\xfe", b"[" * 5000]
)
def test_what_is_no_request_is_refused_without_echo(client: TestClient, body: bytes) -> None:
    answer = client.post("/recommend", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in {400, 422}
    assert answer.json()["detail"]


def test_unknown_titles_stop_the_search_after_three(client: TestClient) -> None:
    answer = ask(client, history=[{"movie": f"Nonesuch {i}"} for i in range(50)])
    assert answer.status_code == 422
    assert len(answer.json()["detail"]) == 3


def test_a_large_body_is_refused_whether_it_tells_its_length_or_not(client: TestClient) -> None:
    big = b" " * (MAX_BODY_BYTES + 1)
    assert client.post("/recommend", content=big).status_code == 413
    assert client.post("/recommend", content=iter([big[:1000], big[1000:]])).status_code == 413


def test_other_names_and_pages_of_other_sites_are_refused(client: TestClient) -> None:
    assert client.get("/health", headers={"host": "rebound.example"}).status_code == 400
    assert client.post("/reload", headers={"origin": "http://other.example"}).status_code == 403
    assert client.get("/health", headers={"origin": "http://localhost"}).status_code == 200


def test_similar_search_and_genres(client: TestClient) -> None:
    assert len(client.get("/similar", params={"movie": "id:500", "k": 3}).json()["movies"]) == 3
    assert client.get("/similar", params={"movie": "Nonesuch"}).status_code == 422
    found = client.get("/movies", params={"q": "toy st"}).json()
    assert (found["movies"][0]["title"], found["is_exact"]) == ("Toy Story (1960)", True)
    near = client.get("/movies", params={"q": "toy stori"}).json()
    assert (near["movies"][0]["title"], near["is_exact"]) == ("Toy Story (1960)", False)
    assert client.get("/movies", params={"q": ""}).json() == {"movies": [], "is_exact": True}
    assert client.get("/genres").json() == ["Comedy", "Drama", "War"]


def test_health_and_metrics(client: TestClient) -> None:
    health = client.get("/health").json()
    assert (health["status"], health["n_movies"], health["model"]) == ("ok", 30, "gru")
    ask(client)
    client.get("/no/such/path")
    text = client.get("/metrics").text
    assert 'reeltune_requests_total{method="POST",path="/recommend",status="200"} 1.0' in text
    assert 'reeltune_requests_total{method="GET",path="other",status="404"} 1.0' in text
    assert 'reeltune_request_seconds_count{path="/recommend"} 1.0' in text


@pytest.mark.parametrize("path", ["/", "/docs", "/page.css", "/page.js", "/docs.js"])
def test_pages_ask_no_other_site(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    text = answer.text.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|//[a-z]+\.|url\(", text)


def test_every_field_is_described(client: TestClient) -> None:
    description = client.get("/openapi.json").json()
    request = description["components"]["schemas"]["RecommendRequest"]["properties"]
    assert all(field.get("description") for field in request.values())
    example = description["components"]["schemas"]["RecommendRequest"]["examples"][0]
    assert client.post("/recommend", json=example | {"history": [{"movie": "Toy Story"}]}).status_code == 200


def test_a_new_bundle_takes_the_place_without_a_dropped_request(bundle_dir: Path) -> None:
    service = Service(bundle_dir)
    statuses, stop = [], threading.Event()
    with TestClient(guarded(service)) as client:

        def keep_asking() -> None:
            while not stop.is_set():
                statuses.append(ask(client).status_code)

        threads = [threading.Thread(target=keep_asking) for _ in range(4)]
        for thread in threads:
            thread.start()
        before = client.get("/health").json()["bundle"]
        try:
            for _ in range(3):
                parts = make_parts()
                with torch.no_grad():
                    for parameter in parts.network.parameters():
                        parameter.normal_(generator=torch.Generator().manual_seed(len(statuses)))
                export_bundle(parts, bundle_dir, force=True)
                reloaded = client.post("/reload").json()
                assert reloaded["is_changed"]
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert client.get("/health").json()["bundle"] == reloaded["bundle"] != before
    assert set(statuses) == {200}
    assert len(statuses) > 10


def test_a_damaged_bundle_leaves_the_old_one_in_place(client: TestClient, bundle_dir: Path) -> None:
    before = client.get("/health").json()["bundle"]
    (bundle_dir / "vocabulary.json").write_text(json.dumps({}))
    answer = client.post("/reload")
    assert answer.status_code == 409
    assert "damaged" in messages(answer)
    assert client.get("/health").json()["bundle"] == before
    assert ask(client).status_code == 200


def test_an_upload_is_read_and_not_kept(client: TestClient) -> None:
    text = "Title,Date,Rating\nThe Godfather,2024-02-01,4\nNone,2024-01-01,1\nToy Story,2024-01-01,\n"
    answer = client.post("/history", params={"name": "x.csv"}, content=text).json()
    assert [(m["item_id"], m["rating"]) for m in answer["movies"]] == [("500", None), ("501", 4.0)]
    assert answer["unknown"] == ["None"]
    assert "x.csv is read as a plain table" in answer["notes"][0]
    refused = client.post("/history", params={"name": "x.csv"}, content="title,mark\nToy Story,1\n")
    assert refused.status_code == 422
    assert "column 'mark' is not known" in messages(refused)
    assert client.post("/history", content=b" " * (MAX_BODY_BYTES * 2)).status_code == 422
    assert client.post("/history", content=b" " * (MAX_UPLOAD_BYTES + 1)).status_code == 413


def test_the_older_name_of_a_rating_is_read(client: TestClient) -> None:
    answer = client.post("/recommend", json={"history": [{"movie": "toy story", "stars": 4.5}]})
    assert answer.status_code == 200
