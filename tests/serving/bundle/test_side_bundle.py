"""A bundle holds the tables of side information, and serves people of whom little is known."""

from dataclasses import replace

import pytest
import torch

from reeltune.data.batch import Histories
from reeltune.data.features.config import SideShapes
from reeltune.models.networks.gru import GRUConfig
from reeltune.models.registry import build_network
from reeltune.serving.bundle.bundle import export_bundle, load_bundle
from reeltune.serving.bundle.onnx_model import check_parity, is_onnx_available, write_onnx
from reeltune.serving.recommend.recommender import Recommender
from serving_parts import make_parts

INPUTS = {
    "rating": True,
    "time_gap": True,
    "sentiment": "lexicon",
    "genres": True,
    "people": True,
    "profile": True,
    "taste": True,
    "in_output": True,
}
SHAPES = SideShapes(n_item_features=4, n_people=6, max_people=3, n_taste=5, n_profile_codes=4)


@pytest.fixture
def network():
    config = GRUConfig(embedding_dim=8, hidden_dim=8, inputs=INPUTS)
    n_items = make_parts().catalogue.n_items
    torch.manual_seed(3)
    network = build_network(config, n_items, SHAPES).eval()
    tables = {
        "item_features": torch.rand(n_items + 1, 4),
        "people": torch.randint(0, 7, (n_items + 1, 3)),
        "taste": torch.rand(n_items + 1, 5),
    }
    network.side.fill({name: table.numpy() for name, table in tables.items()})
    return network


def test_the_tables_come_back(network, tmp_path):
    bundle = load_bundle(export_bundle(replace(make_parts(), network=network), tmp_path / "b"))
    assert bundle.network.side.shapes == SHAPES
    histories = Histories(torch.tensor([[1, 2, 3], [7, 0, 0]]), torch.tensor([3, 1]))
    with torch.inference_mode():
        expected, found = network.scores(histories), bundle.network.scores(histories)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_a_person_never_seen_is_served_with_and_without_ratings(network, tmp_path):
    parts = replace(make_parts(), network=network)
    recommender = Recommender.load(export_bundle(parts, tmp_path / "b"))
    titles = parts.catalogue.titles[:3]
    plain = recommender.recommend(titles, k=5)
    rated = recommender.recommend([(title, 5.0) for title in titles], k=5)
    assert len(plain) == len(rated) == 5
    assert [movie.score for movie in plain] != [movie.score for movie in rated]


@pytest.mark.skipif(not is_onnx_available(), reason="onnx and onnxruntime are not installed")
def test_onnx_answers_alike(network, tmp_path):
    write_onnx(network, tmp_path / "model.onnx")
    assert check_parity(network, tmp_path / "model.onnx")["largest_difference"] < 1e-4
