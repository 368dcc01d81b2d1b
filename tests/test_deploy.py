"""The files for clusters: of Ray's own form, and with commands that exist."""

import json
import re
import shlex
from pathlib import Path

import jsonschema
import pytest
import typer
import yaml

from reeltune.cli.app import app, main

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"


def commands():
    for path in (DEPLOY / "ray-cluster.yaml", DEPLOY / "rayjob.yaml", ROOT / "docs" / "cluster.md"):
        text = re.sub(r"\s*\n\s+(?=--)", " ", path.read_text(encoding="utf-8"))
        for command in re.findall(r"reeltune tune [^\"\n]*", text):
            yield pytest.param(command, id=f"{path.name}-{len(command)}")


@pytest.mark.parametrize("command", list(commands()))
def test_the_commands_are_understood(command):
    _, verb, *arguments = shlex.split(command)
    parsed = typer.main.get_command(app).commands[verb].make_context("reeltune", arguments)
    assert (ROOT / parsed.params["experiment"]).is_file()
    assert parsed.params["address"]
    (lag,) = [change for change in parsed.params["changes"] if change.startswith("study.lag=")]
    assert int(lag.partition("=")[2]) >= parsed.params["concurrency"] - 1


def test_the_launcher_file_is_of_rays_form():
    import ray

    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
    config = yaml.safe_load((DEPLOY / "ray-cluster.yaml").read_text())
    jsonschema.validate(config, schema)
    assert config["head_node_type"] in config["available_node_types"]
    assert f"ray:{ray.__version__}-" in config["docker"]["image"]


def test_the_job_mounts_the_studies_on_every_node():
    import ray

    claim, job = yaml.safe_load_all((DEPLOY / "rayjob.yaml").read_text())
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["rayVersion"] == ray.__version__
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = group["template"]["spec"]
        assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        mounts = pod["containers"][0]["volumeMounts"]
        assert mounts[0]["mountPath"] in job["spec"]["entrypoint"]
    assert f"ray:{ray.__version__}-" in (DEPLOY / "Dockerfile").read_text()


def test_the_image_for_serving_starts_the_service(monkeypatch, capsys) -> None:
    lines = (DEPLOY / "serve.Dockerfile").read_text().splitlines()
    entry, options = (
        next(json.loads(line.removeprefix(word)) for line in lines if line.startswith(word))
        for word in ("ENTRYPOINT ", "CMD ")
    )
    monkeypatch.setattr("sys.argv", [*entry, *options, "--port", "0"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("error: /bundle is no folder")
