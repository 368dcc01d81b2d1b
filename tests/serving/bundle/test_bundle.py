from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from reeltune.data.batch import Histories
from reeltune.errors import BundleError, EngineError
from reeltune.files import read_json, sha256_file, write_json
from reeltune.models.registry import MODELS, build_network, models_of
from reeltune.serving.bundle import manifest
from reeltune.serving.bundle.bundle import BundleParts, export_bundle, load_bundle
from reeltune.serving.bundle.manifest import is_bundle
from serving_parts import make_parts

FILES = ["README.md", "config.json", "ledger.json", "metrics.json", "vocabulary.json", "weights.safetensors"]


@pytest.fixture(name="parts")
def _parts() -> BundleParts:
    return make_parts()


def _scores(network: torch.nn.Module) -> torch.Tensor:
    histories = Histories(torch.tensor([[1, 2, 3], [7, 0, 0]]), torch.tensor([3, 1]))
    with torch.inference_mode():
        return network.scores(histories)  # type: ignore[operator]


@pytest.mark.parametrize("name", sorted(models_of("network")))
def test_every_network_comes_back_with_the_same_scores(name: str, parts: BundleParts, tmp_path: Path) -> None:
    config = MODELS[name].config_class(embedding_dim=6, hidden_dim=5, n_layers=2)
    network = build_network(config, parts.catalogue.n_items).eval()  # type: ignore[arg-type]
    changed = BundleParts(network, parts.training, parts.catalogue, parts.ledger, parts.metrics, parts.card)
    loaded = load_bundle(export_bundle(changed, tmp_path / "b"))
    torch.testing.assert_close(_scores(loaded.network), _scores(network), rtol=0, atol=0)
    assert loaded.network.config == config
    assert not loaded.network.training


def test_contents_come_back(parts: BundleParts, bundle_dir: Path) -> None:
    loaded = load_bundle(bundle_dir)
    assert loaded.catalogue == parts.catalogue
    assert loaded.ledger == parts.ledger
    assert loaded.metrics == parts.metrics
    assert sorted(p.name for p in bundle_dir.iterdir()) == sorted([*FILES, "manifest.json"])
    assert loaded.manifest["files"]["config.json"]["sha256"] == sha256_file(bundle_dir / "config.json")


@pytest.mark.slow
def test_loads_in_a_fresh_process_without_lightning_or_ray(bundle_dir: Path) -> None:
    code = (
        "import sys; from reeltune.serving.recommend.recommender import Recommender; "
        f"r = Recommender.load({str(bundle_dir)!r}); r.recommend(['Toy Story']); "
        "print(sorted({'lightning', 'ray', 'optuna', 'pandas', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte_is_refused_naming_the_file(bundle_dir: Path, name: str) -> None:
    path = bundle_dir / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(BundleError, match=name) as caught:
        load_bundle(bundle_dir)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_or_missing_file_is_refused_naming_it(bundle_dir: Path, name: str) -> None:
    path = bundle_dir / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BundleError, match=f"{name} is damaged"):
        load_bundle(bundle_dir)
    path.unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        load_bundle(bundle_dir)


@pytest.mark.parametrize(
    "manifest",
    [
        "not json",
        "[]",
        "{}",
        '{"format": "other"}',
        '{"format": "reeltune-bundle", "schema": 99, "files": {}}',
        '{"format": "reeltune-bundle", "schema": "1", "files": {}}',
        '{"format": "reeltune-bundle", "schema": 1, "files": {}}',
        '{"format": "reeltune-bundle", "schema": 1, "files": []}',
    ],
)
def test_a_foreign_manifest_is_refused_in_one_line(bundle_dir: Path, manifest: str) -> None:
    (bundle_dir / "manifest.json").write_text(manifest)
    with pytest.raises(BundleError, match=r"manifest\.json") as caught:
        load_bundle(bundle_dir)
    assert "\n" not in str(caught.value)


def test_a_manifest_cannot_name_files_elsewhere(bundle_dir: Path) -> None:
    manifest = read_json(bundle_dir / "manifest.json")
    manifest["files"]["../secret"] = {"sha256": "0", "size_bytes": 0}
    write_json(bundle_dir / "manifest.json", manifest)
    with pytest.raises(BundleError, match=r"damaged at '\.\./secret'"):
        load_bundle(bundle_dir)


def _rewrite(bundle_dir: Path, name: str, value: object) -> None:
    """Change a file and its checksum, as a foreign tool could."""
    (bundle_dir / name).write_text(json.dumps(value))
    manifest = read_json(bundle_dir / "manifest.json")
    manifest["files"][name] = {
        "sha256": sha256_file(bundle_dir / name),
        "size_bytes": (bundle_dir / name).stat().st_size,
    }
    write_json(bundle_dir / "manifest.json", manifest)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("config.json", {}),
        ("config.json", {"model": {"name": "transformer"}, "n_items": 30}),
        ("config.json", {"model": {"name": "gru", "embedding_dim": 9, "hidden_dim": 8}, "n_items": 30}),
        ("config.json", {"model": {"name": "gru", "embedding_dim": 8, "hidden_dim": 8}, "n_items": 31}),
        ("ledger.json", {"dataset": "x"}),
        ("vocabulary.json", {"item_ids": []}),
        ("vocabulary.json", []),
        ("vocabulary.json", {"item_ids": [[]], "titles": ["x"], "years": [0], "genres": [[]]}),
        ("config.json", {"model": {"name": "gru"}, "n_items": 30, "side": {"n_people": 10**12}}),
        ("config.json", {"model": {"name": "gru"}, "n_items": -1}),
        ("config.json", 7),
    ],
)
def test_contents_that_do_not_fit_are_refused(bundle_dir: Path, name: str, value: object) -> None:
    _rewrite(bundle_dir, name, value)
    with pytest.raises(BundleError) as caught:
        load_bundle(bundle_dir)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 50_000, "1" * 6_000, "\0", "\ud800"])
@pytest.mark.parametrize("name", ["manifest.json", "config.json", "vocabulary.json"])
def test_text_that_no_reader_can_stand_is_refused(bundle_dir: Path, name: str, text: str) -> None:
    content = text.encode("utf-8", "surrogatepass")
    (bundle_dir / name).write_bytes(content)
    if name != "manifest.json":
        manifest = read_json(bundle_dir / "manifest.json")
        manifest["files"][name] = {
            "sha256": sha256_file(bundle_dir / name),
            "size_bytes": len(content),
        }
        write_json(bundle_dir / "manifest.json", manifest)
    with pytest.raises(BundleError, match=f"{name} cannot be read") as caught:
        load_bundle(bundle_dir)
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)
    assert is_bundle(bundle_dir) == (name != "manifest.json")


def test_absent_and_foreign_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is no folder"):
        load_bundle(tmp_path / "absent")
    with pytest.raises(BundleError, match="no reeltune bundle"):
        load_bundle(tmp_path)


def test_an_existing_bundle_is_replaced_only_with_force(parts: BundleParts, bundle_dir: Path) -> None:
    with pytest.raises(BundleError, match="--force"):
        export_bundle(parts, bundle_dir)
    (bundle_dir / "stray.txt").write_text("x")
    export_bundle(parts, bundle_dir, force=True)
    assert is_bundle(bundle_dir)
    assert not (bundle_dir / "stray.txt").exists()
    assert [p.name for p in bundle_dir.parent.iterdir()] == ["bundle"]


def test_a_folder_that_is_no_bundle_is_never_replaced(parts: BundleParts, tmp_path: Path) -> None:
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter.txt").write_text("years of work")
    for force in (False, True):
        with pytest.raises(BundleError, match="no reeltune bundle"):
            export_bundle(parts, out, force=force)
    (tmp_path / "file").write_text("x")
    with pytest.raises(BundleError, match="no reeltune bundle"):
        export_bundle(parts, tmp_path / "file", force=True)
    assert (out / "chapter.txt").read_text() == "years of work"


def test_an_empty_folder_is_filled(parts: BundleParts, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    assert is_bundle(export_bundle(parts, tmp_path / "b"))


def test_a_failing_export_leaves_nothing_and_keeps_the_old(
    parts: BundleParts, bundle_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> None:
        raise OSError(28, "No space left on device")

    before = sha256_file(bundle_dir / "manifest.json")
    with pytest.raises(EngineError, match="No space left"):
        export_bundle(parts, bundle_dir, force=True, extras=fail)
    with pytest.raises(EngineError, match="No space left"):
        export_bundle(parts, bundle_dir.parent / "new", extras=fail)
    monkeypatch.setattr(manifest, "_swap", lambda *_: fail(bundle_dir))
    with pytest.raises(EngineError):
        export_bundle(parts, bundle_dir, force=True)
    assert sha256_file(bundle_dir / "manifest.json") == before
    assert [p.name for p in bundle_dir.parent.iterdir()] == ["bundle"]


def test_a_copied_bundle_still_loads(bundle_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle_dir, tmp_path / "elsewhere")
    shutil.rmtree(bundle_dir)
    load_bundle(tmp_path / "elsewhere")
