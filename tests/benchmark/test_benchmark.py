"""A benchmark from its file to its pages, on generated data and without Ray."""

from __future__ import annotations

import importlib
import re
import shutil
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import pytest
from benchmark_parts import BENCHMARK

from reeltune.benchmark import standings as standings_module
from reeltune.benchmark.run import run_benchmark
from reeltune.benchmark.selection import Chosen
from reeltune.benchmark.spec import load_benchmark
from reeltune.errors import ConfigError, StudyError
from reeltune.evaluation import compare, final
from reeltune.evaluation.seeds import seed_spread
from reeltune.files import read_json
from reeltune.models.registry import Package
from reeltune.report.benchmark import documents, write_pages
from reeltune.report.benchmark_result import read_result
from reeltune.tuning.ray import engine as ray_engine
from reeltune.tuning.study.folder import Study
from reeltune.tuning.study.serial import run_serially

ROOT = Path(__file__).parents[2]
VOID = {"meta", "br", "line", "link", "img", "circle", "polyline"}


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "claim.yaml"
        path.write_text(text)
        return path

    return write


@pytest.fixture(scope="module")
def patched():
    patch = pytest.MonkeyPatch()
    patch.setattr(ray_engine, "run_study", run_serially)
    patch.setattr(compare, "N_BOOTSTRAP", 300)
    patch.setattr("reeltune.evaluation.seeds.N_BOOTSTRAP", 300)
    patch.setattr(compare, "N_FLIPS", 999)
    yield patch
    patch.undo()


@pytest.fixture(scope="module")
def finished(tmp_path_factory, patched):
    """Return the folder of a finished benchmark, its result and how often the test set was opened."""
    folder = tmp_path_factory.mktemp("benchmark")
    (folder / "claim.yaml").write_text(BENCHMARK)
    opened = []
    opener = final.open_held_out
    patched.setattr(final, "open_held_out", lambda prepared: opened.append(prepared) or opener(prepared))
    benchmark = load_benchmark(folder / "claim.yaml", ["study.concurrency=1"])
    lines: list[str] = []
    result = run_benchmark(benchmark, folder / "out", notify=lines.append)
    last_training = max(i for i, line in enumerate(lines) if "epoch" in line or "validation RMSE" in line)
    assert lines.index("opening the test set of leave-one-out") > last_training
    return folder, result, opened


@pytest.mark.soak
def test_a_benchmark_answers_its_question(finished) -> None:
    folder, result, opened = finished
    openings = read_json(folder / "out" / "openings.json")["openings"]
    assert len(opened) == len(openings) == 4
    assert [opening.get("split", "").partition("(")[0] for opening in openings] == [
        "leave-one-out",
        "",  # another order of ties: targets counted, nothing ranked
        "global-time",
        "k-fold",
    ]
    names = {row["name"] for row in result["standings"]}
    assert names == {"tuned GRU", "standard RNN", "ItemKNN", "popularity"}
    trials = {row["name"]: (row["n_trials"], row["n_seeds"]) for row in result["standings"]}
    assert trials["tuned GRU"] == (2, 2)
    assert trials["ItemKNN"] == (2, 1)
    assert trials["popularity"] == (1, 1)
    assert result["answer"]["winner"] == "tuned GRU"
    assert set(result["answer"]["groups"]) == {"standard RNN", "collaborative filtering", "counting"}
    assert set(result["findings"]) == names - {"tuned GRU"}
    for finding in result["findings"].values():
        assert finding["n_family"] == 3
        assert finding["adjusted_p"] >= finding["comparison"]["p_value"]
    metrics = result["standings"][0]["metrics"]
    assert {"hr@5", "ndcg@10", "mrr@10", "precision@5", "recall@10"} <= set(metrics)
    curses = {one["name"]: one["curse"] for one in result["models"]}
    assert curses["tuned GRU"]["n_trials"] == 2
    assert curses["popularity"] is None
    assert result["lists"]["popularity"]["serendipity"]["value"] == 0.0
    groupings = {report["grouping"] for report in result["user_groups"]["tuned GRU"]}
    assert {"activity", "mainstreamness", "length of history", "popularity of the target"} <= groupings
    assert set(result["ablations"]["factors"]) == {
        "model.hidden_dim", "share of users", "interactions of a movie"
    }  # fmt: skip
    assert {"basis", "fields", "budget"} <= set(result["impact"]["tuned GRU"])
    assert 0 < result["privacy"]["membership"]["users"]["auc"]["value"] < 1
    assert result["explanations"]["n_people"] == 20


@pytest.mark.soak
def test_the_same_models_stand_on_another_split(finished) -> None:
    folder, result, _ = finished
    there = result["splits"]["by the calendar"]
    assert there["ledger"]["split"].startswith("global-time")
    assert there["n_queries"] > there["n_users"]  # successive targets
    assert {row["name"] for row in there["standings"]} == {row["name"] for row in result["standings"]}
    assert there["answer"]["winner"] == result["answer"]["winner"]
    assert (folder / "out" / "splits" / "by-the-calendar" / "tuned-gru" / "seed-1" / "best.ckpt").exists()


@pytest.mark.soak
def test_another_order_of_ties_is_told_with_what_it_changes(finished) -> None:
    _, result, _ = finished
    file, movie = (result["ties"]["rules"][rule] for rule in ("file", "movie"))
    assert file["changed_validation"] == 0.0
    assert file["figures"]["popularity"]["difference"]["value"] == 0.0
    assert set(movie["figures"]) == {"tuned GRU", "standard RNN", "ItemKNN", "popularity"}
    gap = movie["figures"]["ItemKNN"]["figure"]["value"] - file["figures"]["ItemKNN"]["figure"]["value"]
    assert movie["figures"]["ItemKNN"]["difference"]["value"] == pytest.approx(gap)
    assert 0.0 <= result["changed_targets"]["movie"] <= 1.0


@pytest.mark.soak
def test_predictors_of_stars_are_tuned_alike_and_judged_together(finished) -> None:
    folder, result, _ = finished
    ratings = result["ratings"]
    found = {row["name"]: row for row in ratings["standings"]}
    assert {name: (row["n_trials"], row["n_seeds"]) for name, row in found.items()} == {
        "tuned GRU": (2, 2),
        "biases": (2, 1),
        "mean": (1, 1),
    }
    assert ratings["winner"] == "tuned GRU"
    for row in found.values():
        assert sum(map(sum, row["decisions"]["matrix"])) == ratings["n_ratings"]
        assert (
            row["figures"]["rmse"]["low"] < row["figures"]["rmse"]["value"] < row["figures"]["rmse"]["high"]
        )
    biases = found["biases"]
    assert biases["figures"]["accuracy"]["value"] == pytest.approx(biases["decisions"]["accuracy"])
    assert biases["figures"]["roc_auc"]["value"] == pytest.approx(biases["decisions"]["roc_auc"])
    assert biases["figures"]["star_accuracy"]["value"] == pytest.approx(biases["decisions"]["star_accuracy"])
    assert found["mean"]["figures"]["mcc"] is None  # one answer for all
    study = Study.open(folder / "out/ratings/studies/biases")
    assert biases["selected"] == min(row.value for row in study.rows())
    assert (study.objective, study.spec.trial.task) == ("rmse", "rating")
    assert set(ratings["findings"]["accuracy"]) == {"biases", "mean"}


@pytest.mark.soak
def test_ratings_begun_anew_train_what_is_missing_only(finished, tmp_path) -> None:
    folder, result, _ = finished
    out = shutil.copytree(folder / "out", tmp_path / "out")
    shutil.rmtree(out / "ratings" / "seeds" / "tuned-gru" / "seed-2")
    (out / "analyses" / "ratings.json").unlink()
    lines: list[str] = []
    benchmark = load_benchmark(folder / "claim.yaml", ["study.concurrency=1"])
    again = run_benchmark(benchmark, out, notify=lines.append)
    assert [line.partition(":")[0] for line in lines if "rmse" in line] == ["tuned GRU, seed 2"]
    assert again["ratings"] == result["ratings"]


@pytest.mark.soak
def test_the_same_command_gives_the_same_and_opens_nothing(finished) -> None:
    folder, result, opened = finished
    benchmark = load_benchmark(folder / "claim.yaml", ["study.concurrency=1"])
    n_opened = len(opened)
    again = run_benchmark(benchmark, folder / "out")
    assert again | {"seconds": {}} == result | {"seconds": {}}
    assert len(opened) == n_opened


@pytest.mark.soak
def test_a_benchmark_killed_after_the_opening_scores_what_is_left(finished, tmp_path, monkeypatch) -> None:
    folder, result, _ = finished
    out = shutil.copytree(folder / "out", tmp_path / "out")
    (out / "analyses" / "test.json").unlink()
    (out / "test" / "itemknn.npz").unlink()
    scored = []
    score = standings_module._score
    monkeypatch.setattr(standings_module, "_score", lambda *of: scored.append(of[1].entry.name) or score(*of))
    again = run_benchmark(load_benchmark(folder / "claim.yaml", ["study.concurrency=1"]), out)
    assert scored == ["ItemKNN"]
    assert again["standings"] == result["standings"]
    assert len(again["openings"]) == 6  # the main test set and the other order of ties anew
    assert again["openings"][4]["scored_before"] == ["tuned GRU", "standard RNN", "popularity"]


@pytest.mark.soak
def test_another_benchmark_is_refused(finished) -> None:
    folder, _, _ = finished
    with pytest.raises(StudyError, match=r"another spec.*choose another --out"):
        run_benchmark(load_benchmark(folder / "claim.yaml", ["seeds=1"]), folder / "out")


@pytest.mark.soak
def test_the_pages_hold_the_figures(finished, tmp_path) -> None:
    folder, result, _ = finished
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|url\(|src=|<link", page)

    class Balance(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in VOID:
                self.open.append(tag)

        def handle_startendtag(self, tag: str, attrs: object) -> None:
            pass

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    parser = Balance()
    parser.feed(page)
    assert parser.open == []
    text = (folder / "out" / "README.md").read_text(encoding="utf-8")
    best = result["standings"][0]
    for wanted in (f"{best['metrics']['ndcg@10']['value']:.4f}", result["answer"]["sentence"]):
        assert wanted in text
    for figure in re.findall(r"\((figures/[^)]+)\)", text):
        assert (folder / "out" / figure).read_text().startswith("<svg")
    card = (folder / "out" / "MODEL_CARD.md").read_text(encoding="utf-8")
    for wanted in (
        "of 100 users",
        "tuned GRU",
        "no row, name, age or gender",
        "popular than what",
        "another split",
    ):
        assert wanted in card
    write_pages(result, tmp_path)
    assert (tmp_path / "README.md").read_text() == text


@pytest.mark.soak
def test_a_finished_benchmark_is_recorded_with_its_pages(finished, tmp_path, monkeypatch) -> None:
    folder, result, _ = finished
    monkeypatch.syspath_prepend(str(ROOT / "experiments"))
    script = importlib.import_module("record_paper")
    monkeypatch.setattr(script, "ROOT", tmp_path)
    monkeypatch.setattr(script, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(script, "PAGES", {tmp_path / "README.md": "docs/evidence"})
    (tmp_path / "README.md").write_text("before\n<!-- benchmarks -->\nold\n<!-- end -->\nafter\n")
    monkeypatch.setattr("sys.argv", ["record_paper.py", str(folder / "out")])
    script.main()
    committed = read_json(tmp_path / "results" / "claim.json")
    assert committed == result | {"machine": committed["machine"]}
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- benchmarks -->\n**Does")
    assert text.endswith("<!-- end -->\nafter\n")
    assert "old" not in text
    best = result["standings"][0]["metrics"]["ndcg@10"]
    assert f"{best['value']:.4f} ({best['low']:.4f} to {best['high']:.4f})" in text
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (tmp_path / target).exists(), target
    page = tmp_path / "docs" / "evidence" / "claim" / "README.md"
    assert page.read_text() == (folder / "out" / "README.md").read_text()
    monkeypatch.setattr("sys.argv", ["record_paper.py"])
    page.write_text("changed by hand")
    script.main()
    assert page.read_text() == (folder / "out" / "README.md").read_text()
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == text
    with pytest.raises(SystemExit, match="to its end first"):
        script.record(tmp_path)


def test_quick_puts_its_values_over_the_file(write) -> None:
    path = write(BENCHMARK)
    benchmark = load_benchmark(path, is_quick=True)
    assert benchmark.name == "claim-quick"
    assert benchmark.spec.seeds == 1
    assert benchmark.entries[0].experiment.spec.study.trials == 1
    assert load_benchmark(path).entries[0].experiment.spec.study.trials == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("group: counting", "grup: counting", "grup"),
        ("claim: optimized RNN", "claim: optimised", "claimed group 'optimised'"),
        ("models:", "contenders:", "the key 'models' is missing"),
        ("user_shares: [0.5]", "user_shares: [1.5]", "share 1.5"),
        ("k_cores: [1]", "last_events: [1]", "1 events are too few"),
        ("cuts: [5]", "cuts: [0]", "at least 1 movie"),
        ("model: item-knn", "model: item-kn", "item-knn"),
        ("hidden_dim: 8, dropout", "hiden_dim: 8, dropout", "hidden_dim"),
        ("  ItemKNN:", "  tuned-gru:", "folder 'tuned-gru'"),
        ("model: {embedding_dim: 16}", "model: {hidden_dim: 16}", "fixed here and searched"),
        ("quick:\n", "quick: 3\nother:\n", "quick is 3"),
        ("targets: successive", "target: successive", "target"),
        ("predictor: {name: global-mean}", "predictor: {name: median}", "median"),
        ("mean: {group: counting, predictor: {name: global-mean}}", "mean: {group: counting}", "exactly one"),
        ("training.learning_rate: {kind", "training.learning_rat: {kind", "training.learning_rat"),
        ("low: 1.0, high: 50.0", "low: 1.0, high: 1.0e+9", "user_regularization: 1000000000.0"),
        ("data: {dataset: synthetic}", "data: {dataset: synthetic, split: global-time}", "tie_rules"),
        ("trials: 2", "storage: 's3://bucket', trials: 2", "storage mirrors single studies"),
        (
            "  popularity: {group",
            "  item.knn: {group: counting, model: {name: popularity}}\n  item knn: {group",
            "share the folder",
        ),
        (
            "    mean: {group",
            "    Biases!: {group: counting, predictor: {name: biases}}\n    mean: {group",
            "share the folder",
        ),
        ("  by the calendar: {split", "  by-the calendar: {}\n  by the calendar: {split", "share the folder"),
    ],
)
def test_a_wrong_file_is_refused_in_one_error(write, old, new, message) -> None:
    assert old in BENCHMARK
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_benchmark(write(BENCHMARK.replace(old, new, 1)))


def test_a_file_of_the_release_before_is_read_with_its_new_keys(write) -> None:
    text = BENCHMARK.replace("claim: optimized RNN\n", "")
    for new, old in (("models:", "contestants:"), ("group:", "role:"), ("splits:", "also:")):
        text = text.replace(new, old)
    text += "  contestants.tuned GRU.training.max_epochs: 3\n"
    told = "contestants is now models, role is now group, also is now splits; rename the keys"
    with pytest.warns(FutureWarning, match=told):
        benchmark = load_benchmark(write(text), ["contestants.standard RNN.training.max_epochs=2"])
    with pytest.warns(FutureWarning, match=told):
        quick = load_benchmark(write(text), is_quick=True)
    assert quick.entries[0].experiment.trial.training.max_epochs == 3
    assert benchmark.entries[1].experiment.trial.training.max_epochs == 2
    now = load_benchmark(write(BENCHMARK), ["models.standard RNN.training.max_epochs=2"])
    assert benchmark.spec.plain() | {"quick": {}} == now.spec.plain() | {"quick": {}}


def test_groups_have_free_names_and_no_claim_asks_for_the_best(write) -> None:
    text = BENCHMARK.replace("claim: optimized RNN\n", "").replace("    group: optimized RNN\n", "", 1)
    benchmark = load_benchmark(write(text.replace("group: counting", "group: tables of counts", 1)))
    assert [entry.group for entry in benchmark.entries] == [
        "tuned GRU", "standard RNN", "collaborative filtering", "tables of counts"
    ]  # fmt: skip
    values = {"tuned GRU": 0.2, "standard RNN": 0.1, "ItemKNN": 0.3, "popularity": 0.05}
    chosen = [
        Chosen(entry, {}, {}, None, 1, None, (), seed_spread([values[entry.name]]), 0.0)
        for entry in benchmark.entries
    ]
    best = standings_module.winner(benchmark, chosen)
    assert best.entry.name == "ItemKNN"
    assert set(standings_module.rivals(chosen, best)) == {"tuned GRU", "standard RNN", "tables of counts"}


@pytest.mark.parametrize(
    ("package", "name"), [("implicit", "the baseline ials"), ("surprise", "the rating baseline svd")]
)
def test_a_missing_package_is_told_before_anything_runs(package, name, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(
        Package, "is_installed", property(lambda self: self.module != package and find_spec(self.module))
    )
    with pytest.raises(ConfigError, match=rf"{name} needs a package that is not installed: pip install"):
        run_benchmark(load_benchmark(ROOT / "experiments" / "paper_ml100k.yaml"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_claim_needs_both_sides(write) -> None:
    text = re.sub(
        r"group: (standard RNN|collaborative filtering|counting)", "group: optimized RNN", BENCHMARK
    )
    with pytest.raises(ConfigError, match="4 of 4 models are of the claimed group"):
        load_benchmark(write(text))


def test_the_papers_benchmarks_are_whole() -> None:
    paths = sorted((ROOT / "experiments").glob("paper_*.yaml"))
    assert paths
    for path in paths:
        for is_quick in (False, True):
            benchmark = load_benchmark(path, is_quick=is_quick)
            groups = {entry.group for entry in benchmark.entries}
            others = {"standard RNN", "collaborative filtering", "content-based filtering"}
            assert {benchmark.spec.claim, *others} <= groups
            budgets = {e.experiment.spec.study.trials for e in benchmark.entries if e.is_tuned}
            assert len(budgets) == 1


@pytest.mark.parametrize("path", sorted((ROOT / "experiments" / "results").glob("paper_*.json")))
def test_results_of_the_release_before_become_pages(path) -> None:
    recorded = read_json(path)
    assert recorded["schema"] == 2
    pages = documents(recorded)
    result = read_result(recorded)
    assert result["answer"]["winner"] == recorded["answer"]["champion"]
    assert set(result["splits"]) == set(recorded["also"])
    assert result["models"][0]["config"] == recorded["contestants"][0]["config"]
    assert pages["standings.csv"].count("\n") == len(recorded["standings"]) + 1
    assert "tabular" in pages["standings.tex"]
    page = pages["README.md"]
    for word in ("contest", "champion", ": yes, by", "negligible"):
        assert word not in page
    assert f"{recorded['standings'][0]['metrics']['ndcg@10']['value']:.4f}" in page
