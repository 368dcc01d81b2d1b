"""Switch side information, or ingredients of the recipe, on one at a time; record the paired differences.

``python experiments/on_off.py ml1m_inputs --data-dir DIR`` reads ``experiments/ml1m_inputs.yaml``, tunes the
network that has none of them, trains it again with one switched on at a time, and writes
``experiments/results/ml1m_inputs_on_off.json`` and the table of ``docs/side-information.md``. An interrupted
run goes on where it stood: each training is a folder below ``runs/``. Without a name the tables are written
again from the committed JSON. Data come from ``--data-dir`` or ``REELTUNE_DATA``.

Training, tuning and all figures use training and validation movies only: the test set stays closed.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from record import RESULTS, ROOT, machine, options_of_runs, rendered, rewrite

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reeltune.tuning.records.rows import TrialRow
    from reeltune.tuning.trial.config import TrialConfig

PAGE = ROOT / "docs" / "side-information.md"
LABEL = "ndcg@10"
SEED = 17


@dataclass(frozen=True)
class Setup:
    """What is trained for one experiment file."""

    fixed: dict[str, Any]  # fields of model and training, put over those of the file
    grid: dict[str, tuple[float, ...]]  # searched with everything off, on the first seed
    rows: dict[str, dict[str, Any]]  # what is switched on, by label: fields of model and training
    n_seeds: int


SETUPS = {
    "ml1m_inputs": Setup(
        fixed={
            "model.embedding_dim": 32,
            "model.hidden_dim": 64,
            "model.embedding_dropout": 0.1,
            "model.dropout": 0.1,
            "training.weight_decay": 0.01,
            "training.batch_size": 16,
            "training.max_epochs": 3,
        },
        grid={"training.learning_rate": (0.003, 0.006)},
        rows={
            "rating": {"model.inputs.rating": True},
            "time since the previous movie": {"model.inputs.time_gap": True},
            "genres": {"model.inputs.genres": True},
            "year": {"model.inputs.year": True},
            "directors and actors": {"model.inputs.people": True},
            "text (TF-IDF of title and keywords)": {"model.inputs.text": "tfidf"},
            "profile (age, gender, occupation)": {"model.inputs.profile": True},
            "taste so far": {"model.inputs.taste": True},
            "all of these": {
                "model.inputs.rating": True,
                "model.inputs.time_gap": True,
                "model.inputs.genres": True,
                "model.inputs.year": True,
                "model.inputs.people": True,
                "model.inputs.text": "tfidf",
                "model.inputs.profile": True,
                "model.inputs.taste": True,
            },
        },
        n_seeds=2,
    ),
    "rotten_tomatoes_sentiment": Setup(
        fixed={"model.hidden_dim": 128, "training.batch_size": 16, "training.max_epochs": 10},
        grid={"training.learning_rate": (0.002, 0.004, 0.008), "training.weight_decay": (0.01, 0.3)},
        rows={
            "rating": {"model.inputs.rating": True},
            "sentiment: lexicon": {"model.inputs.sentiment": "lexicon"},
            "sentiment: trained": {"model.inputs.sentiment": "trained"},
            "rating and sentiment: trained": {
                "model.inputs.rating": True,
                "model.inputs.sentiment": "trained",
            },
        },
        n_seeds=3,
    ),
    "ml1m_ingredients": Setup(
        fixed={},
        grid={},
        rows={
            "weights averaged (0.999)": {"training.ema_decay": 0.999},
            "label smoothing of 0.1": {"training.label_smoothing": 0.1},
            "no dropout": {"model.embedding_dropout": 0.0, "model.dropout": 0.0},
            "two layers, residual": {"model.n_layers": 2},
            "four layers, residual": {"model.n_layers": 4},
            "embeddings of 128": {"model.embedding_dim": 128},
            "count prior, weight 0.75": {"model.count_prior": 0.75},
            "time since the previous movie": {"model.inputs.time_gap": True},
            "time until the request": {"model.inputs.request_time": True},
            "genres and year": {"model.inputs.genres": True, "model.inputs.year": True},
            "directors and actors": {"model.inputs.people": True},
            "averaging, prior, times, genres, year, people": {
                "training.ema_decay": 0.999,
                "model.count_prior": 0.75,
                "model.inputs.time_gap": True,
                "model.inputs.genres": True,
                "model.inputs.year": True,
                "model.inputs.people": True,
            },
        },
        n_seeds=1,
    ),
}


def run(name: str, runs: Path, data_dir: Path | None, n_seeds: int | None) -> None:
    """Train what is not trained yet and write the JSON."""
    from reeltune.data.store import open_tuning, prepare
    from reeltune.files import write_json
    from reeltune.tuning.study.experiment_file import load_experiment
    from reeltune.tuning.study.folder import PACKAGES

    setup = SETUPS[name]
    n_seeds = n_seeds or setup.n_seeds
    (path,) = (ROOT / "experiments").rglob(f"{name}.yaml")
    experiment = load_experiment(path, [f"{field}={value}" for field, value in setup.fixed.items()])
    prepared = prepare(experiment.spec.data, data_dir=data_dir, notify=print)
    data = open_tuning(prepared)
    users = np.asarray(data.validation.user)

    def trained(changes: dict[str, Any], seed: int, label: str) -> tuple[TrialRow, NDArray[np.float64]]:
        return _trained(_changed(experiment.trial, changes), prepared, runs / name, seed, label)

    tuning = []
    for values in itertools.product(*setup.grid.values()):
        point = dict(zip(setup.grid, values, strict=True))
        row, _ = trained(point, 0, f"tuning {point}")
        tuning.append({"point": point, LABEL: row.value})
    best = max(tuning, key=lambda each: each[LABEL])["point"]
    switches = {"none": {}} | setup.rows
    figures: dict[str, list[NDArray[np.float64]]] = {label: [] for label in switches}
    facts: dict[str, list[TrialRow]] = {label: [] for label in switches}
    for seed in range(n_seeds):
        for label, changes in switches.items():
            row, values = trained(best | changes, seed, label)
            figures[label].append(values)
            facts[label].append(row)
        write_json(
            RESULTS / f"{name}_on_off.json",
            {
                "question": experiment.spec.question,
                "ledger": data.ledger.plain(),
                "timed_share": float((np.asarray(data.train.timestamps) >= 0).mean()),
                "trial": _changed(experiment.trial, best).plain(),
                "tuning": tuning,
                "n_seeds": seed + 1,
                "metric": LABEL,
                "versions": {name: version(name) for name in ("reeltune", *PACKAGES)},
                "machine": machine(),
                "rows": [_row(label, switches[label], figures, facts[label], users) for label in switches],
            },
        )


def _changed(trial: TrialConfig, changes: dict[str, Any]) -> TrialConfig:
    plain = json.loads(json.dumps(trial.plain()))
    for name, value in changes.items():
        *parents, last = name.split(".")
        level = plain
        for parent in parents:
            level = level[parent]
        level[last] = value
    return type(trial).model_validate(plain)


def _trained(
    trial: TrialConfig, prepared: Path, runs: Path, number: int, label: str
) -> tuple[TrialRow, NDArray[np.float64]]:
    """Return the row and the NDCG@10 of each validation query [M], trained now or before."""
    from reeltune.metrics.registry import per_query
    from reeltune.seeding import derive
    from reeltune.tuning.trial.single import train_single

    directory = runs / f"{derive(trial.plain(), number):016x}"
    row = train_single(
        trial,
        prepared,
        directory,
        seed=derive(SEED, "on-off", number),  # the same for all rows: same first weights, same batches
        report=lambda epoch: print(
            f"{label}, seed {number}, epoch {epoch.epoch}: {epoch.metrics[LABEL]:.4f}, {epoch.seconds:.0f} s",
            flush=True,
        ),
    )
    ranks = np.load(directory / "validation_ranks.npy")
    return row, np.asarray(per_query(ranks, LABEL), dtype=np.float64)


def _row(
    label: str,
    changes: dict[str, Any],
    figures: dict[str, list[NDArray[np.float64]]],
    facts: list[TrialRow],
    users: NDArray[np.int64],
) -> dict[str, Any]:
    from reeltune.evaluation.compare import compare_paired, mean_interval

    mean, without = np.mean(figures[label], axis=0), np.mean(figures["none"], axis=0)
    row: dict[str, Any] = {
        "label": label,
        "changes": changes,
        "figure": mean_interval(mean, users=users, seed=SEED).plain(),
        "by_seed": [float(values.mean()) for values in figures[label]],
        "n_parameters": facts[0].n_parameters,
        "seconds": sum(fact.seconds for fact in facts),
    }
    if label != "none":
        row["difference"] = compare_paired(
            mean, without, opponent_name="none", metric=LABEL, users=users, seed=SEED
        ).plain()
        row["difference_by_seed"] = [
            float((on - off).mean()) for on, off in zip(figures[label], figures["none"], strict=True)
        ]
    return row


def table(result: dict[str, Any]) -> str:
    """Return the Markdown table and the protocol below it."""
    lines = [
        "| switched on | NDCG@10 | difference, 95 % interval | p | each seed |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in result["rows"]:
        cells = [row["label"], f"{row['figure']['value']:.4f}"]
        if "difference" in row:
            gain = row["difference"]["difference"]
            cells += [
                f"{gain['value']:+.4f} ({gain['low']:+.4f} to {gain['high']:+.4f})",
                f"{row['difference']['p_value']:.3f}",
                ", ".join(f"{value:+.4f}" for value in row["difference_by_seed"]),
            ]
        else:
            cells += ["", "", ""]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", _protocol(result)]) + "\n"


def _protocol(result: dict[str, Any]) -> str:
    ledger, trial = result["ledger"], result["trial"]
    model, training = trial["model"], trial["training"]
    minutes = sum(row["seconds"] for row in result["rows"]) / 60
    n_seeds = result["n_seeds"]
    seeds = "One seed" if n_seeds == 1 else f"Mean of {n_seeds} seeds"
    n_points = len(result["tuning"])
    chosen = (
        f"chosen with nothing switched on from {n_points} points"
        if n_points > 1
        else "as the file gives them"
    )
    return (
        f"{ledger['n_users']:,} people, {ledger['n_items']:,} movies; {ledger['split']}, **validation** "
        "movies, the whole catalogue ranked, seen movies removed; "
        f"{result['timed_share']:.0%} of the training events have a timestamp. A {model['name'].upper()} of "
        f"width {model['hidden_dim']} with {model['embedding_dim']} numbers a movie, "
        f"{training['max_epochs']} epochs, each network at its best epoch; learning rate "
        f"{training['learning_rate']:g} and weight decay {training['weight_decay']:g}, "
        f"{chosen}. {seeds}, the same for all rows; "
        f"intervals and p (sign flips) over people, paired. {minutes:.0f} minutes on one core "
        f"({result['machine']['processor']})."
    )


def render(text: str) -> str:
    """Return the page ``text`` with every marked block made anew from its committed JSON."""
    return rendered(text, "on-off", "{}_on_off.json", table)


def main() -> None:
    parser = options_of_runs(__doc__, "on_off")
    parser.add_argument("names", nargs="*", choices=[[], *SETUPS], default=[])
    parser.add_argument("--seeds", type=int, help="instead of the number that the setup names")
    options = parser.parse_args()
    for name in options.names:
        run(name, options.runs, options.data_dir, options.seeds)
    rewrite(PAGE, render)


if __name__ == "__main__":
    main()
