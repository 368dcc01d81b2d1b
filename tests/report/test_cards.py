from __future__ import annotations

import dataclasses

import pytest

from reeltune.data.config import SPLITS
from reeltune.report.cards import CardFacts, make_card
from serving_parts import make_ledger

FACTS = CardFacts(
    study="s",
    question="",
    trial=0,
    model={"name": "gru", "inputs": {}},
    n_parameters=10,
    objective="ndcg@10",
    validation={"ndcg@10": 0.1},
    n_trials=3,
    ledger=make_ledger(),
    evaluation=None,
    examples=('It\'s a "Film" (1990)', "Other (1991)"),
)


@pytest.mark.parametrize("name", sorted(SPLITS))
def test_each_split_is_told_as_it_is(name: str) -> None:
    config = SPLITS[name].model_validate({"name": name})
    ledger = make_ledger().model_copy(update={"split": config.text()})
    card = make_card(dataclasses.replace(FACTS, ledger=ledger))
    assert f"* Split {config.text()}: {config.in_words}." in card
    assert ("the last movie of each user is test" in card) == (name == "leave-one-out")


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({}, "not how they were rated"),
        ({"rating": True}, "their order and the stars they were given."),
        ({"taste": True}, "their order and the stars they were given."),
        ({"time_gap": True, "sentiment": "lexicon"}, "of each user, time_gap, sentiment: the recommender"),
    ],
)
def test_what_the_network_reads_is_told(inputs: dict[str, object], told: str) -> None:
    assert told in make_card(dataclasses.replace(FACTS, model={"name": "gru", "inputs": inputs}))


def test_html_and_line_ends_of_others_do_not_reach_the_card() -> None:
    question = 'which?\n\n<script>alert("x")</script>'
    examples = ("A```\n<img src=x> (1990)", "B\x1b[2J (1991)")
    card = make_card(dataclasses.replace(FACTS, question=question, examples=examples))
    assert '*which? &lt;script&gt;alert("x")&lt;/script&gt;*' in card
    assert "<img src=x>" in card  # inside the fence, which no title ends
    assert card.count("```") == 4
    assert "\x1b" not in card
