"""The models that every study is compared with, on its own split.

Shapes: M queries.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reeltune.data.prepared import Queries, TuningData
from reeltune.errors import ConfigError, DataError, StudyError
from reeltune.evaluation.studies import Notify
from reeltune.files import read_json, write_json
from reeltune.models.base import Scorer
from reeltune.models.baselines.fit import fit_to_data
from reeltune.models.registry import MODELS, models_of
from reeltune.seeding import derive
from reeltune.training.base import Segment
from reeltune.training.checkpoint import read_checkpoint
from reeltune.training.epochs import BEST_CHECKPOINT, LAST_CHECKPOINT
from reeltune.tuning.records.rows import TrialState
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.spec import UNTUNED_RNN

Ranks = NDArray[np.int32]

MAX_EVENTS = 2_000_000
"""Events beyond which slow baselines are fitted only where the experiment names them."""


def baseline_label(name: str) -> str:
    """Return how a table or sentence names the baseline ``name``."""
    return "untuned RNN" if name == UNTUNED_RNN else MODELS[name].label


def rank_baselines(
    study: Study, data: TuningData, queries: Queries, notify: Notify, *, is_refit: bool = False
) -> tuple[dict[str, Ranks], dict[str, float]]:
    """Return the ranks [M] of ``queries`` by each of the study's baselines, and the seconds of each fit.

    Fitting a baseline costs little, so it uses all that precedes the targets: on test, the validation
    movies too. The untuned RNN is trained on the training events, as trials are; where the study's winner is
    refitted (``is_refit``), so is this network.

    Where the experiment names no baselines, one that the data or the installed packages do not allow is
    reported and left out.

    Raises:
        ConfigError: A baseline that the experiment names needs a package that is not installed.
        DataError: A baseline that the experiment names cannot be fitted to the data.
    """
    from reeltune.metrics.evaluate import rank_queries

    known = queries.known()
    ranks, seconds = {}, {}
    for name in _names(study):
        notify(f"fitting the baseline {baseline_label(name)}")
        start = time.perf_counter()
        scorer: Scorer
        try:
            _check_cost(name, known.n_events, is_asked=study.spec.baselines is not None)
            if name == UNTUNED_RNN:
                scorer = _untuned_rnn(study, data, is_refit=is_refit)
            else:
                scorer = fit_to_data(name, data, known, seed=study.spec.study.seed)
        except (ConfigError, DataError) as error:
            if study.spec.baselines is not None:
                raise
            notify(f"without the baseline {baseline_label(name)}: {error}")
            continue
        seconds[name] = time.perf_counter() - start
        ranks[name] = rank_queries(scorer, queries)
    return ranks, seconds


def _names(study: Study) -> Sequence[str]:
    return tuple(models_of("baseline")) if study.spec.baselines is None else study.spec.baselines


def _check_cost(name: str, n_events: int, *, is_asked: bool) -> None:
    if not is_asked and n_events > MAX_EVENTS and name in MODELS and MODELS[name].is_slow:
        raise DataError(f"{n_events:,} events take it minutes; ask for it with the key baselines")


def _untuned_rnn(study: Study, data: TuningData, *, is_refit: bool) -> Scorer:
    """Return the default Elman network, trained now or found in the study.

    A refit takes the validation targets in, for as many epochs as were best without them.
    """
    from reeltune.models.networks.rnn import RNNConfig
    from reeltune.training.checkpoint import load_network
    from reeltune.tuning.trial.config import TrialConfig
    from reeltune.tuning.trial.run import run_trial

    config = TrialConfig(model=RNNConfig(), objective=study.objective)
    seed = derive(study.spec.study.seed, UNTUNED_RNN)
    folder, segment = study.directory / "baselines" / UNTUNED_RNN, None
    for _ in range(1 + is_refit):
        done = folder / "result.json"
        if not done.exists():
            folder.mkdir(parents=True, exist_ok=True)
            result = run_trial(config, data, lambda _: None, directory=folder, seed=seed, segment=segment)
            if result.state is not TrialState.COMPLETE:
                raise StudyError(
                    f"the untuned RNN {result.state}: {result.reason}; leave it out of baselines"
                )
            plain = {"metrics": result.metrics, "reason": result.reason, "seed": seed}
            write_json(done, {**plain, "best_epoch": result.best_epoch})
            (folder / LAST_CHECKPOINT).unlink(missing_ok=True)
        checkpoint = folder / BEST_CHECKPOINT
        if segment is None and is_refit:
            best = read_json(done).get("best_epoch") or read_checkpoint(checkpoint)["epoch"] + 1
            folder, segment = folder.with_name(f"{UNTUNED_RNN}-refit"), Segment(0, best, is_refit=True)
    return load_network(checkpoint)
