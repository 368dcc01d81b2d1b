"""Accuracy of the two sentiment scorers on labelled reviews that neither was trained on.

Three held-out sets: a tenth of the sentences of Cornell polarity v1.0, a tenth of the whole reviews of
v2.0, and critics' reviews with the verdict fresh or rotten, of a fifth of the movies. The lexicon is
not trained; ``polarity`` is trained on the other nine tenths of both Cornell sets; ``critics`` on the
critics' reviews of the other movies. Critics' reviews that are also Cornell sentences are left out.
Run it from the repository root:

    python benchmarks/sentiment.py --data ../shared/data --out benchmarks/results/sentiment.json
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from reeltune.data.features.labelled import Labelled, read_labelled
from reeltune.data.features.sentiment import LexiconScorer, SentimentScorer, fit_scorer, save_scorer
from reeltune.files import write_json

SEED = 17


def critics_reviews(path: Path, known: set[str]) -> tuple[Labelled, NDArray[np.int64], int]:
    """Return critics' reviews, the movie of each, and how many were left out because ``known`` holds them."""
    texts, is_praise, movies, n_known = [], [], [], 0
    data = gzip.decompress(path.read_bytes()).decode("latin-1")
    for row in csv.DictReader(io.StringIO(data), delimiter="\t", quoting=csv.QUOTE_NONE):
        if not row["review"].strip():
            continue
        if normalised(row["review"]) in known:
            n_known += 1
            continue
        texts.append(row["review"])
        is_praise.append(row["fresh"] == "fresh")
        movies.append(int(row["id"]))
    return Labelled(texts, np.array(is_praise)), np.array(movies), n_known


def normalised(text: str) -> str:
    """Return the letters of ``text``: the sets differ in spaces and punctuation."""
    return "".join(filter(str.isalnum, text.lower()))


def figures(scorer: SentimentScorer, held_out: Labelled) -> dict[str, float]:
    """Return accuracy with half its 95 % interval, area under the ROC curve, and speed."""
    start = time.process_time()
    scores = scorer.scores(held_out.texts)
    seconds = time.process_time() - start
    accuracy = float(((scores > 0) == held_out.is_praise).mean())
    half = 1.96 * (accuracy * (1 - accuracy) / len(scores)) ** 0.5
    return {
        "accuracy": round(accuracy, 4),
        "plus_minus": round(half, 4),
        "roc_auc": round(float(roc_auc_score(held_out.is_praise, scores)), 4),
        "texts_a_second": round(len(scores) / seconds),
    }


def measure(data: Path, model: Path | None) -> dict[str, object]:
    """Return the figures of each scorer on each held-out set."""
    folder = data / "sentiment"
    short_train, short_test = read_labelled(folder / "rt-polaritydata.zip").held_out(0.1, SEED)
    long_train, long_test = read_labelled(folder / "review_polarity.tar.gz").held_out(0.1, SEED)
    known = {normalised(text) for text in (*short_train.texts, *short_test.texts)}
    critics, movies, n_known = critics_reviews(data / "rotten-tomatoes" / "rt.reviews.tsv.gz", known)
    names = np.unique(movies)
    chosen = np.random.default_rng(SEED).choice(names, size=len(names) // 5, replace=False)
    is_held_out = np.isin(movies, chosen)
    critics_train = critics.select(np.flatnonzero(~is_held_out))
    polarity_train = short_train.and_also(long_train)
    polarity = fit_scorer(polarity_train.texts, polarity_train.is_praise)
    if model is not None:
        save_scorer(polarity, model)
    scorers: dict[str, SentimentScorer] = {
        "lexicon": LexiconScorer(),
        "polarity": polarity,
        "critics": fit_scorer(critics_train.texts, critics_train.is_praise),
    }
    tests = {
        "sentences": short_test,
        "whole_reviews": long_test,
        "critics_reviews": critics.select(np.flatnonzero(is_held_out)),
    }
    return {
        "seed": SEED,
        "n_trained_on": {"polarity": len(polarity_train.texts), "critics": len(critics_train.texts)},
        "n_critics_reviews_left_out_as_cornell_sentences": n_known,
        "held_out": {
            name: {"n": len(test.texts), "share_of_praise": round(float(test.is_praise.mean()), 4)}
            for name, test in tests.items()
        },
        "figures": {
            scorer_name: {name: figures(scorer, test) for name, test in tests.items()}
            for scorer_name, scorer in scorers.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of real data")
    parser.add_argument("--model", type=Path, help="folder to save the classifier of Cornell polarity in")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    args = parser.parse_args()
    found = measure(args.data, args.model)
    for scorer, of_sets in found["figures"].items():  # type: ignore[attr-defined]
        for name, row in of_sets.items():
            print(f"{scorer:9} {name:16} accuracy {row['accuracy']:.3f} +- {row['plus_minus']:.3f}")
    if args.out:
        write_json(args.out, found)


if __name__ == "__main__":
    main()
