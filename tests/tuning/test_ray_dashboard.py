"""Ray's own dashboard: served while a study runs where its extra is installed, else refused at once."""

import importlib.util
import json
import os
import re
import sys
import urllib.request

import pytest
from engine_parts import HERE, run
from studies_for_tests import ledger, spec

from reeltune.errors import ConfigError
from reeltune.training.loggers import LoggingConfig
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.observer import Outcome, SilentObserver

IS_INSTALLED = importlib.util.find_spec("aiohttp_cors") is not None
pytestmark = [
    # Ray leaves the sockets and pipes of its processes to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


class Reader(SilentObserver):
    """Asks the dashboard what it shows, at the first epoch."""

    def __init__(self):
        self.address, self.version, self.nodes = None, None, None

    def noted(self, text):
        self.address, self.token = re.fullmatch(r"Ray's dashboard: (\S+) \(token (\w+)\)", text).groups()

    def epoch_ended(self, number, report):
        if self.nodes is None:
            self.version = self.read("api/version")
            self.nodes = self.read("nodes?view=summary")["data"]["summary"]

    def read(self, path):
        asked = urllib.request.Request(
            f"{self.address}/{path}", headers={"Authorization": f"Bearer {self.token}"}
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return json.load(answer)


def study_with_dashboard(directory):
    described = spec(trials=1, max_epochs=1, scheduler="none", concurrency=1)
    described = described.model_copy(update={"logging": LoggingConfig(ray_dashboard=True)})
    return Study.create(directory, described, ledger())


@pytest.mark.soak
@pytest.mark.skipif(not IS_INSTALLED, reason="the extra ray-dashboard is not installed")
def test_the_dashboard_shows_the_node_while_the_study_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), *sys.path]))
    reader = Reader()
    assert run(study_with_dashboard(tmp_path / "s"), "run", observer=reader) is Outcome.FINISHED
    assert reader.address.startswith("http://127.0.0.1:")
    assert reader.version["ray_version"]
    (node,) = reader.nodes
    assert node["raylet"]["state"] == "ALIVE"
    with pytest.raises(OSError, match="refused"):
        reader.read("api/version")


@pytest.mark.skipif(IS_INSTALLED, reason="the extra ray-dashboard is installed")
def test_without_its_extra_it_is_refused_with_the_remedy(tmp_path):
    study = study_with_dashboard(tmp_path / "s")
    with pytest.raises(ConfigError, match=r'logging\.ray_dashboard needs .*pip install "reeltune\[ray-dash'):
        run(study, "run")
    assert not study.rows()
