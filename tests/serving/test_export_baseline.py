from __future__ import annotations

from pathlib import Path

import pytest

from reeltune.errors import BundleError, ConfigError, UserError
from reeltune.models.baselines.registry import BASELINES
from reeltune.serving.export_baseline import export_baseline
from reeltune.serving.recommender import Recommender
from reeltune.serving.rerank import Reranking


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_a_baseline_recommends_as_a_network_does(study_dir: Path, tmp_path: Path, name: str) -> None:
    recommender = Recommender.load(export_baseline(study_dir, tmp_path / "b", name))
    titles = list(recommender.catalogue.titles[:3])
    found = recommender.recommend(titles, k=5, is_explained=True)
    state = recommender.start()
    for title in titles:
        state.add(title)
    assert [line.code for line in state.recommend(k=5)] == [line.code for line in found]
    assert len(recommender.similar(titles[0], k=4)) == 4
    assert recommender.recommend(titles, k=5, rerank=Reranking(popularity=-1.0, calibration=0.5))
    with pytest.raises(UserError, match="no embeddings"):
        recommender.recommend(titles, rerank=Reranking(novelty=0.5))
    with pytest.raises(BundleError, match="holds a baseline"):
        _ = recommender.bundle.network
    assert 0 < recommender.bundle.metrics["validation"]["ndcg@10"] < 1


def test_an_unknown_baseline_is_refused(study_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'markov'"):
        export_baseline(study_dir, tmp_path / "b", "markow")
