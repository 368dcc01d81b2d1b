"""The checkpoints that go to the test: of the selected configuration, and of the default one beside it."""

from __future__ import annotations

from reeltune.data.prepared import TuningData
from reeltune.evaluation.count_prior import PriorChoice, choose_weight
from reeltune.evaluation.leaderboard import VERDICT_METRIC
from reeltune.evaluation.retrain import Candidate, refit, retrain, study_executor
from reeltune.evaluation.studies import Notify, default_trial
from reeltune.metrics.registry import parse_metric
from reeltune.models.registry import is_network
from reeltune.training.epochs import BEST_CHECKPOINT
from reeltune.tuning.records.rows import TrialRow, TrialState
from reeltune.tuning.study.folder import Study


def select_candidates(
    study: Study,
    selected: TrialRow,
    data: TuningData,
    notify: Notify,
    *,
    prior: PriorChoice | None = None,
    address: str | None = None,
) -> list[Candidate]:
    """Return the checkpoints of the selected configuration; the first is the one that is released.

    A network that is refitted has one a final seed, in the order of the seeds. Else they are the trial's own
    and, where the experiment asks for more than one final seed, one a seed, the best on validation first.
    What is found in the study is not trained again.
    """
    if is_refitted(study, selected):
        return refit(
            study,
            selected,
            data,
            count_prior=None if prior is None else prior.weight,
            validation=float(selected.value or 0.0) if prior is None else prior.cross_fitted,
            notify=notify,
            executor=study_executor(study, data, address),
        )
    own = Candidate(
        checkpoint=study.trial_directory(selected.number) / BEST_CHECKPOINT,
        seed=selected.seed,
        validation=float(selected.value or 0.0),
        is_retrained=False,
    )
    n_seeds = study.spec.final.seeds
    retrained: list[Candidate] = []
    if n_seeds > 1:
        executor = study_executor(study, data, address)
        by_trial = retrain(study, [selected], data, n_seeds=n_seeds, notify=notify, executor=executor)
        retrained = by_trial[selected.number]
    return sorted([own, *retrained], key=lambda c: c.validation, reverse=study.higher_is_better)


def choose_prior(study: Study, selected: TrialRow, data: TuningData, notify: Notify) -> PriorChoice | None:
    """Return the weight of the count prior that does best on validation, None where none is asked for."""
    from reeltune.training.checkpoint import load_network

    if not study.spec.final.fit_count_prior or not is_network(selected.config["model"]["name"]):
        return None
    notify("choosing the weight of the count prior on validation")
    network = load_network(study.trial_directory(selected.number) / BEST_CHECKPOINT)
    objective = parse_metric(study.objective)
    if not objective.is_ranking:
        objective = parse_metric(VERDICT_METRIC)
    return choose_weight(network, data, objective, seed=study.spec.study.seed)


def default_candidates(
    study: Study, selected: TrialRow, data: TuningData, notify: Notify, *, address: str | None
) -> list[Candidate]:
    """Return the default configuration refitted as the winner is; nothing where it won or no trial had it."""
    row = default_trial(study)
    if row is None or row.state is not TrialState.COMPLETE or row.number == selected.number:
        return []
    if not is_refitted(study, selected):
        return []
    prior = choose_prior(study, row, data, notify)
    return select_candidates(study, row, data, notify, prior=prior, address=address)


def is_refitted(study: Study, selected: TrialRow) -> bool:
    """Whether the winner is trained again; a baseline is fitted to all that precedes the targets anyway."""
    return study.spec.final.refit and is_network(selected.config["model"]["name"])
