import json
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from data_parts import rows
from pydantic import ValidationError

from reeltune.data import store
from reeltune.data.config import DataConfig
from reeltune.data.interactions import RawDataset
from reeltune.data.sources.cache import cache_lock, list_cache, remove_item
from reeltune.data.store import is_outdated, open_held_out, open_summary, open_tuning, prepare, write_dataset
from reeltune.errors import DataError

SYNTHETIC = DataConfig(dataset="synthetic")


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_prepared_once_and_opened_by_memory_map(own_cache):
    told = []
    directory = prepare(SYNTHETIC, notify=told.append)
    data = open_tuning(directory)
    assert isinstance(data.train.items, np.memmap)
    assert data.ledger.n_interactions == data.train.n_events + 2 * data.train.n_users
    assert data.ledger.n_items == data.n_items == len(data.catalogue.titles)
    assert data.validation.sequences is data.train
    n_told = len(told)
    assert prepare(SYNTHETIC, notify=told.append) == directory
    assert len(told) == n_told
    with pytest.raises(ValueError, match="read-only"):
        data.train.items[0] = 1


def test_held_out_lies_in_a_folder_of_its_own(own_cache):
    directory = prepare(SYNTHETIC)
    tuning, held_out = open_tuning(directory), open_held_out(directory)
    ends = held_out.test.sequences.offsets[1:]
    assert np.array_equal(held_out.test.sequences.items[ends - 1], tuning.validation.target)
    files = {path.name for path in (directory / "tuning").iterdir()}
    assert not any(name.startswith("test") for name in files)


def test_opening_reads_no_rows(own_cache):
    """Whatever the size of the data, opening maps their files and reads a ledger."""
    data = open_tuning(prepare(SYNTHETIC))
    queries = data.validation
    arrays = [value for part in (data.train, queries, queries.sequences) for value in vars(part).values()]
    arrays = [value for value in arrays if isinstance(value, np.ndarray)]
    assert len(arrays) > 5
    assert all(isinstance(value, np.memmap) for value in arrays)


def test_another_config_is_another_entry(own_cache):
    first = prepare(SYNTHETIC)
    second = prepare(DataConfig(dataset="synthetic", k_core=1))
    assert first != second
    assert open_tuning(first).ledger.k_core == 5


def test_a_half_written_entry_is_never_read(own_cache, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("reeltune.data.disk.save", fail)
    with pytest.raises(DataError, match=r"cannot write the cache .*No space left on device.*REELTUNE_CACHE"):
        prepare(SYNTHETIC)
    assert list((own_cache / "prepared").iterdir()) == []


def test_a_cache_that_cannot_be_written_is_one_clear_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match=r"cannot write the cache .*REELTUNE_CACHE"):
        prepare(SYNTHETIC)


@pytest.mark.parametrize("harm", ["remove", "cut", "ledger", "version"])
def test_a_damaged_entry_is_one_clear_error(own_cache, harm):
    directory = prepare(SYNTHETIC)
    array = directory / "tuning" / "train.items.npy"
    ledger = directory / "ledger.json"
    if harm == "remove":
        array.unlink()
    elif harm == "cut":
        array.write_bytes(array.read_bytes()[:-100])
    elif harm == "ledger":
        ledger.write_text("{}")
    else:
        ledger.write_text(json.dumps(json.loads(ledger.read_text()) | {"extra": 1}))
    with pytest.raises(DataError, match=r"is not a whole prepared data set .*reeltune data prepare") as error:
        open_tuning(directory)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_process_killed_while_it_writes_leaves_nothing_to_read(own_cache):
    script = (
        "import os, signal\n"
        "from reeltune.data import disk\n"
        "from reeltune.data.config import DataConfig\n"
        "from reeltune.data.store import prepare\n"
        "disk.save = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "prepare(DataConfig(dataset='synthetic'))\n"
    )
    died = subprocess.run([sys.executable, "-c", script], check=False)
    assert died.returncode == -signal.SIGKILL
    assert [item.kind for item in list_cache()] == ["leftover"]
    directory = prepare(SYNTHETIC)
    assert open_tuning(directory).train.n_events > 0
    assert sorted(item.kind for item in list_cache()) == ["leftover", "prepared"]


def _prepare_in_process(cache: str, queue) -> None:
    os.environ["REELTUNE_CACHE"] = cache
    told: list[str] = []
    directory = prepare(SYNTHETIC, notify=told.append)
    queue.put((str(directory), sum(line.startswith("preparing") for line in told)))


@pytest.mark.slow
def test_two_processes_prepare_once(own_cache):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    processes = [context.Process(target=_prepare_in_process, args=(str(own_cache), queue)) for _ in range(2)]
    for process in processes:
        process.start()
    results = [queue.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(timeout=60)
    assert results[0][0] == results[1][0]
    assert sum(n_prepared for _, n_prepared in results) == 1


def test_rows_without_titles_get_their_ids(tmp_path):
    values = [(u, item, 3, t) for u in (1, 2) for t, item in enumerate((11, 12, 13))]
    directory = tmp_path / "entry"
    write_dataset(directory, RawDataset(rows(*values)), DataConfig(dataset="synthetic", k_core=1))
    data = open_tuning(directory)
    assert data.catalogue.titles == data.catalogue.item_ids == ("11", "12", "13")
    _, summary = open_summary(directory)
    assert summary.no_title_share == 1
    assert summary.length_counts == {"2-3": 2}


def test_the_summary_counts_what_was_left_out(tmp_path):
    values = [(1, item, 3, t) for t, item in enumerate((11, 12, 13, 13))]
    values += [values[0], (2, 11, 4, 0)]
    write_dataset(tmp_path / "entry", RawDataset(rows(*values)), DataConfig(dataset="synthetic", k_core=1))
    report, summary = open_summary(tmp_path / "entry")
    assert (report.n_rows, report.n_duplicates, report.n_short_users) == (6, 1, 1)
    assert summary.rating_counts == {"3": 4}
    assert summary.tie_share == 0


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(ValidationError, match="did you mean 'movielens-100k'"):
        DataConfig(dataset="movielens-100")
    with pytest.raises(ValidationError, match="did you mean 'leave-one-out'"):
        DataConfig(dataset="synthetic", split="leave-one-in")


def test_prune_spares_what_is_in_work(own_cache):
    directory = prepare(SYNTHETIC)
    orphan = directory.parent / ".movielens-1m-a-b.x1.part"
    in_work = directory.parent / ".movielens-1m-c-d.x2.part"
    for path in (orphan, in_work):
        path.mkdir()
        (path / "half").write_bytes(b"12345")
    with cache_lock("movielens-1m-c-d", lambda _: None):
        items = list_cache()
        assert {item.path: item.kind for item in items} == {directory: "prepared", orphan: "leftover"}
        for item in items:
            if item.kind == "leftover":
                remove_item(item)
    assert not orphan.exists()
    assert in_work.exists()
    (entry,) = [item for item in items if item.kind == "prepared"]
    assert entry.size_bytes > 10_000
    remove_item(entry)
    assert list(own_cache.glob("prepared/[!.]*")) == []


def test_an_entry_of_another_version_is_outdated(own_cache, monkeypatch):
    directory = prepare(SYNTHETIC)
    assert not is_outdated(directory)
    monkeypatch.setattr(store, "PREPARATION", "0")
    assert is_outdated(directory)
    assert is_outdated(Path("/nowhere"))
