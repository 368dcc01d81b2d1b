"""Hold one network against the windowed Markov table on the test set, with and without the count prior.

``python experiments/bars.py ml1m_bar --data-dir DIR`` reads ``experiments/fixed/ml1m_bar.yaml``, trains
its configuration from ``final.seeds`` seeds, chooses the weight of the count prior on validation, opens
the test set, which is logged each time, and writes ``experiments/results/ml1m_bar.json`` and the tables of
``docs/accuracy.md``. An interrupted run goes on where it stood: each training is a folder below
``runs/bars``. Without a name the tables are written again from the committed JSON. Data come from
``--data-dir`` or ``REELTUNE_DATA``.

The network's figures are means over seeds of what each single network does; nothing is averaged into one
ensemble. The prior's weight is chosen with a table that is counted on the training events; on the test set
its table, like the opponent's, is counted on all that precedes the targets.

Shapes: S seeds, M queries.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from record import RESULTS, ROOT, in_words, machine, options_of_runs, rendered, rewrite

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reeltune.data.prepared import Queries, TuningData
    from reeltune.models.base import SequenceNetwork
    from reeltune.tuning.study.experiment_file import Experiment

PAGE = ROOT / "docs" / "accuracy.md"
LABELS = ("hr@10", "ndcg@10", "mrr@10")
VERDICT = "ndcg@10"
OPPONENT = "windowed-markov"
SEED = 17
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
"""Weights of the count prior among which validation chooses."""


def run(name: str, runs: Path, data_dir: Path | None, concurrency: int) -> None:
    """Train what is not trained yet, choose on validation, open the test set and write the JSON."""
    from reeltune.data.store import open_tuning, prepare
    from reeltune.evaluation.count_prior import ranks_by_weight
    from reeltune.evaluation.final import open_test
    from reeltune.files import write_json
    from reeltune.models.baselines.fit import fit_to_data
    from reeltune.training.checkpoint import load_network
    from reeltune.tuning.study.experiment_file import load_experiment
    from reeltune.tuning.study.folder import PACKAGES

    experiment = load_experiment(ROOT / "experiments" / "fixed" / f"{name}.yaml")
    prepared = prepare(experiment.spec.data, data_dir=data_dir, notify=print)
    data = open_tuning(prepared)
    trained = _trained(experiment, data, runs / name, concurrency)
    networks = [load_network(checkpoint) for checkpoint, _ in trained]
    print("choosing the weight of the count prior on the validation movies", flush=True)
    validation = [ranks_by_weight(network, data, WEIGHTS) for network in networks]
    by_weight = {
        weight: float(np.mean([_values(ranks[weight], VERDICT).mean() for ranks in validation]))
        for weight in WEIGHTS
    }
    chosen = max((weight for weight in WEIGHTS if weight), key=by_weight.__getitem__)
    log = runs / name / "openings.json"
    test = open_test(
        prepared, log, {"experiment": name, "prior": chosen, "fingerprint": data.ledger.fingerprint}
    )
    rows: dict[str, list[NDArray[np.int32]]] = {"alone": [], "prior": []}
    for number, network in enumerate(networks, start=1):
        print(f"ranking the test set with seed {number} of {len(networks)}", flush=True)
        alone, mixed = _test_ranks(network, data, test, chosen)
        rows["alone"].append(alone)
        rows["prior"].append(mixed)
    theirs = _ranked(fit_to_data(OPPONENT, data, test.known()), test)
    is_timed = np.asarray(test.target_timestamp) >= 0
    network_reads_requests = experiment.trial.model.inputs.request_time
    write_json(
        RESULTS / f"{name}.json",
        {
            "question": experiment.spec.question,
            "ledger": data.ledger.plain(),
            "trial": experiment.trial.plain(),
            "metric": VERDICT,
            "openings": json.loads(log.read_text(encoding="utf-8"))["openings"],
            "versions": {package: version(package) for package in ("reeltune", *PACKAGES)},
            "machine": machine(),
            "training": [facts for _, facts in trained],
            "validation_by_prior_weight": {f"{weight:g}": value for weight, value in by_weight.items()},
            "prior_weight": chosen,
            "opponent": OPPONENT,
            "rows": _rows(rows, theirs, test, np.ones(len(test.user), dtype=bool)),
            "n_timed": int(is_timed.sum()),
            "timed_rows": _rows(rows, theirs, test, is_timed) if network_reads_requests else None,
        },
    )


def _trained(
    experiment: Experiment, data: TuningData, runs: Path, concurrency: int
) -> list[tuple[Path, dict[str, Any]]]:
    """Return the best checkpoint of each seed with how its training ended, trained now or before."""
    from reeltune.seeding import derive
    from reeltune.training.epochs import BEST_CHECKPOINT
    from reeltune.tuning.trial.job import TrialJob
    from reeltune.tuning.trial.jobs import LocalPool, run_jobs

    config = experiment.trial.plain()
    jobs = [
        TrialJob(
            number=number,
            seed=derive(SEED, "bar", number),
            params={},
            config=config,
            directory=str(runs / f"{derive(SEED, config, number):016x}"),
            data_directory=str(data.directory),
            study=runs.name,
            study_directory=str(runs),
            name=f"seed {number}",
        )
        for number in range(1, experiment.spec.final.seeds + 1)
    ]
    results = run_jobs(jobs, LocalPool(concurrency), notify=lambda line: print(line, flush=True))
    trained = []
    for job, result in zip(jobs, results, strict=True):
        if not result.metrics:
            raise SystemExit(f"error: {job.label} {result.state}, {result.reason}; see {job.directory}")
        lines = (Path(job.directory) / "epochs.jsonl").read_text(encoding="utf-8").splitlines()
        # an epoch that was cut off and trained again has two lines
        epochs = {epoch["epoch"]: epoch for epoch in map(json.loads, lines)}
        facts = {
            "seed": job.seed,
            "validation": result.metrics[VERDICT],
            "epochs": len(epochs),
            "seconds": sum(epoch["seconds"] for epoch in epochs.values()),
        }
        trained.append((Path(job.directory) / BEST_CHECKPOINT, facts))
    return trained


def _test_ranks(
    network: SequenceNetwork, data: TuningData, test: Queries, weight: float
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the test ranks [M] of the network alone and with its prior."""
    from reeltune.data.features.assemble import query_features
    from reeltune.models.prior import CountPrior

    queries = query_features(network.side.config, data, test)
    network.prior = None
    alone = _ranked(network, queries)
    network.prior = CountPrior(weight, data.n_items)
    network.prior.fill(test.known())
    return alone, _ranked(network, queries)


def _ranked(scorer: Any, queries: Queries) -> NDArray[np.int32]:
    from reeltune.metrics.evaluate import rank_queries

    return rank_queries(scorer, queries)


def _values(ranks: NDArray[np.int32], label: str) -> NDArray[np.float64]:
    from reeltune.metrics.registry import per_query

    return np.asarray(per_query(ranks, label), dtype=np.float64)


def _rows(
    own: dict[str, list[NDArray[np.int32]]],
    theirs: NDArray[np.int32],
    test: Queries,
    is_chosen: NDArray[np.bool_],
) -> dict[str, Any]:
    """Return the figures and comparisons over the queries that are chosen, [M]."""
    users, other = np.asarray(test.user)[is_chosen], theirs[is_chosen]
    parts = {key: [ranks[is_chosen] for ranks in of_seeds] for key, of_seeds in own.items()}
    return {OPPONENT: _figures([other], users)} | {
        key: _figures(ranks, users) | _against(ranks, other, users) for key, ranks in parts.items()
    }


def _figures(ranks: list[NDArray[np.int32]], users: NDArray[np.int64]) -> dict[str, Any]:
    """Return the means over seeds [S] with intervals over people, and the mean of each seed."""
    from reeltune.evaluation.compare import mean_interval

    values = {label: np.stack([_values(of, label) for of in ranks]) for label in LABELS}  # each [S, M]
    return {
        "metrics": {
            label: mean_interval(of.mean(0), users=users, seed=0).plain() for label, of in values.items()
        },
        "by_seed": {label: of.mean(1).tolist() for label, of in values.items()},
    }


def _against(
    ranks: list[NDArray[np.int32]], theirs: NDArray[np.int32], users: NDArray[np.int64]
) -> dict[str, Any]:
    """Return the paired comparison of the mean over seeds, and of each seed, with the opponent."""
    from reeltune.evaluation.compare import compare_paired

    own, other = np.stack([_values(of, VERDICT) for of in ranks]), _values(theirs, VERDICT)

    def compared(values: NDArray[np.float64]) -> dict[str, Any]:
        return compare_paired(
            values, other, opponent_name="windowed Markov", metric=VERDICT, users=users, seed=0
        ).plain()

    return {
        "comparison": compared(own.mean(0)),
        "p_by_seed": [compared(values)["p_value"] for values in own],
    }


def table(result: dict[str, Any]) -> str:
    """Return the Markdown table, the verdict and the protocol."""
    parts = [_table_of(result["rows"], "on the test set", result["prior_weight"])]
    if result.get("timed_rows"):
        label = f"of these, the {result['n_timed']:,} people whose request has a time"
        parts.append(_table_of(result["timed_rows"], label, result["prior_weight"]))
    return "\n".join([*parts, _protocol(result)]) + "\n"


def _table_of(rows: dict[str, Any], title: str, weight: float) -> str:
    names = {
        OPPONENT: "windowed Markov",
        "alone": "the network alone",
        "prior": f"with the count prior, weight {weight:g}",
    }
    lines = [
        f"| {title} | {' | '.join(label.upper() for label in LABELS)} | NDCG@10 of each seed |",
        f"| --- |{' --- |' * (len(LABELS) + 1)}",
    ]
    for key, row in rows.items():
        cells = [
            f"{figure['value']:.4f} ({figure['low']:.4f} to {figure['high']:.4f})"
            for figure in row["metrics"].values()
        ]
        seeds = ", ".join(f"{value:.4f}" for value in row["by_seed"][VERDICT]) if key != OPPONENT else ""
        lines.append(f"| {names[key]} | {' | '.join(cells)} | {seeds} |")
    verdicts = [
        f"{names[key][0].upper()}{names[key][1:]}: {in_words(rows[key]['comparison'])}."
        for key in ("alone", "prior")
    ]
    return "\n".join([*lines, "", " ".join(verdicts), ""])


def _protocol(result: dict[str, Any]) -> str:
    ledger, training = result["ledger"], result["training"]
    minutes = sum(facts["seconds"] for facts in training) / len(training) / 60
    validation = ", ".join(f"{facts['validation']:.4f}" for facts in training)
    return (
        f"{ledger['n_users']:,} people, {ledger['n_items']:,} movies; {ledger['split']}, the whole catalogue "
        f"ranked, seen movies removed; means over {len(training)} seeds of single networks, in brackets 95 % "
        f"bootstrap intervals over people. Validation NDCG@10 of the seeds, alone: {validation}. The prior's "
        f"weight was chosen on validation, the test set opened {len(result['openings'])} time(s); there the "
        f"tables of prior and opponent are counted on all that precedes the targets. "
        f"{minutes:.0f} minutes a seed on one core ({result['machine']['processor']})."
    )


def render(text: str) -> str:
    """Return the page ``text`` with every marked block made anew from its committed JSON."""
    return rendered(text, "bar", "{}.json", table)


def main() -> None:
    parser = options_of_runs(__doc__, "bars")
    parser.add_argument("names", nargs="*", help="files in experiments/fixed, such as ml1m_bar")
    parser.add_argument("--concurrency", type=int, default=2, help="trainings at once")
    options = parser.parse_args()
    for name in options.names:
        run(name, options.runs, options.data_dir, options.concurrency)
    rewrite(PAGE, render)


if __name__ == "__main__":
    main()
