"""The dashboard answers its own pages; a page of another site can neither read nor delete a study."""

import http.client
import json
import threading
from pathlib import Path

import optuna
import pytest

from reeltune.serving.http.dashboard import dashboard_server
from reeltune.tuning.study.storage import storage_url


@pytest.fixture(name="ask")
def _ask(tmp_path: Path):
    url = storage_url(tmp_path / "study.db")
    optuna.create_study(storage=url, study_name="mine")
    server = dashboard_server(url, 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def ask(method: str, path: str, **headers: str):
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body

    yield ask
    server.shutdown()
    thread.join()
    server.server_close()


def n_studies(ask) -> int:
    return len(json.loads(ask("GET", "/api/studies")[1])["study_summaries"])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "rebound.example"}, 400),
        ({"Host": "rebound.example:8080", "Origin": "http://rebound.example:8080"}, 400),
        ({"Origin": "http://other.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_a_page_of_another_site_cannot_delete_the_study(ask, headers: dict[str, str], status: int) -> None:
    assert ask("DELETE", "/api/studies/1", **headers)[0] == status
    assert n_studies(ask) == 1


def test_its_own_page_can(ask) -> None:
    assert ask("GET", "/dashboard", Host="localhost:1")[0] == 200
    assert n_studies(ask) == 1
    assert ask("DELETE", "/api/studies/1", Host="localhost:1", Origin="http://localhost:1")[0] == 204
    assert n_studies(ask) == 0
