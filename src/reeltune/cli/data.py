"""``reeltune data``: list, prepare, inspect, cache."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from reeltune.cli.options import AS_CSV, AS_JSON, DATA_DIR, example, note
from reeltune.cli.tables import Table, print_plain, print_table

if TYPE_CHECKING:
    from reeltune.data.config import DataConfig
    from reeltune.data.prepare.dataset import PreparationReport
    from reeltune.data.prepare.summary import Summary

app = typer.Typer(
    name="data", help="List, prepare and inspect data sets; look after the cache.", no_args_is_help=True
)

_BAR_WIDTH = 40
_CREDITS = typer.Option(
    None,
    "--credits",
    "--people",
    help="File of directors and actors, or the word package; --people in the release before. "
    "[default: the data set's own]",
    show_default=False,
)
_K_CORE = typer.Option(None, "--k-core", min=1, help="Least number of interactions a movie. [default: 5]")


@app.command("list", epilog=example("data list --csv"))
def list_datasets(as_json: bool = AS_JSON, as_csv: bool = AS_CSV) -> None:
    """Show the known data sets: where they come from, size, licence."""
    from reeltune.data.features.labelled import PACKAGE
    from reeltune.data.sources.datasets import DATASETS

    fields = ("summary", "address", "size_bytes", "licence", "citation")
    rows = [{"name": name} | {key: getattr(entry, key) for key in fields} for name, entry in DATASETS.items()]
    if print_plain(rows, as_json=as_json, as_csv=as_csv):
        return
    for name, entry in DATASETS.items():
        print(name)
        print(f"  {entry.summary}")
        if entry.address is not None:
            print(f"  from      {entry.address} ({entry.size_bytes / 1e6:.1f} MB)")
        if entry.package is not None:
            print(f"  also in   the package {entry.package.name} {entry.package.version}")
        if entry.credits_package is not None:
            print(f"  credits   in the package {entry.credits_package.name} {entry.credits_package.version}")
        print(f"  licence   {entry.licence}")
        print(f"  cite      {entry.citation}")
    print("labelled reviews, for `reeltune data sentiment package`")
    print(f"  in the package {PACKAGE.name} {PACKAGE.version} ({PACKAGE.size_bytes / 1e6:.1f} MB)")
    print(f"  licence   {PACKAGE.licence}")


@app.command(epilog=example("data prepare movielens-100k"))
def prepare(
    name: str = typer.Argument(help="Data set, as `reeltune data list` shows it, or an experiment file."),
    data_dir: Path | None = DATA_DIR,
    k_core: int | None = _K_CORE,
    of_movies: str | None = _CREDITS,
) -> None:
    """Get a data set and prepare it; no work where that was done before."""
    directory = _prepared(name, data_dir, k_core, of_movies)
    print(directory)


@app.command(epilog=example("data inspect movielens-100k"))
def inspect(
    name: str = typer.Argument(help="Data set, as `reeltune data list` shows it, or an experiment file."),
    data_dir: Path | None = DATA_DIR,
    k_core: int | None = _K_CORE,
    of_movies: str | None = _CREDITS,
) -> None:
    """Summarize a prepared data set; prepares it first where needed."""
    from reeltune.data.prepare.summary import missing_details
    from reeltune.data.store import open_side, open_summary, open_tuning

    directory = _prepared(name, data_dir, k_core, of_movies)
    report, summary = open_summary(directory)
    _print_summary(report, summary)
    for kind, share in missing_details(open_side(directory).details).items():
        print(f"{kind:14} missing for {share:.1%} of the movies")
    ledger = open_tuning(directory).ledger
    print(f"split          {ledger.split}; {ledger.tie_rule}")
    print(f"fingerprint    {ledger.fingerprint}")
    print(f"folder         {directory}")


@app.command(epilog=example("data sentiment package --out sentiment"))
def sentiment(
    texts: list[Path] = typer.Argument(
        help="CSV files with text and label, the Cornell polarity archives, or: package (33,530 reviews)."
    ),
    out: Path = typer.Option(help="Folder for the classifier."),
    seed: int = typer.Option(17, min=0, help="Draws the tenth of the texts that is held out."),
) -> None:
    """Train a sentiment classifier and compare it with the lexicon.

    It is used by model.inputs.sentiment_model.
    """
    from functools import reduce

    from reeltune.data.features.labelled import Labelled, find_labelled, read_labelled
    from reeltune.data.features.sentiment import LexiconScorer, fit_scorer, save_scorer

    train, test = reduce(
        Labelled.and_also, [read_labelled(find_labelled(path, note)) for path in texts]
    ).held_out(0.1, seed)
    scorer = fit_scorer(train.texts, train.is_praise)
    save_scorer(scorer, out)
    print(f"trained on     {len(train.texts):,} texts, {train.is_praise.mean():.1%} praise")
    for name, each in (("this", scorer), ("lexicon", LexiconScorer())):
        accuracy = ((each.scores(test.texts) > 0) == test.is_praise).mean()
        print(f"{name:14} {accuracy:.1%} right of {len(test.texts):,} held-out texts")
    print(f"written to     {out}")


@app.command(epilog=example("data cache --prune"))
def cache(
    prune: bool = typer.Option(
        False, "--prune", help="Remove leftovers of killed processes and outdated entries."
    ),
    everything: bool = typer.Option(
        False, "--all", help="With --prune: remove all prepared data and downloads."
    ),
    as_json: bool = AS_JSON,
    as_csv: bool = AS_CSV,
) -> None:
    """Show what the cache holds, or prune it."""
    from datetime import UTC, datetime

    from reeltune.data.sources.cache import cache_root, list_cache, remove_item
    from reeltune.data.store import is_outdated
    from reeltune.errors import ConfigError

    if everything and not prune:
        raise ConfigError("--all goes with --prune")
    rows: list[dict[str, Any]] = []
    for item in list_cache():
        outdated = item.kind == "prepared" and is_outdated(item.path)
        removed = prune and (everything or outdated or item.kind == "leftover")
        if removed:
            remove_item(item)
        modified = datetime.fromtimestamp(item.modified, UTC).isoformat(timespec="seconds")
        remark = "removed" if removed else "outdated" if outdated else ""
        rows.append({"kind": item.kind, "size_bytes": item.size_bytes, "modified": modified})
        rows[-1] |= {"name": item.path.name, "remark": remark}
    if print_plain(rows, as_json=as_json, as_csv=as_csv):
        return
    table = Table("kind", "size", "modified", "name", "remark", left=["name", "remark"], spare=["modified"])
    for row in rows:
        size, when = f"{row['size_bytes'] / 1e6:,.1f} MB", row["modified"][:16].replace("T", " ")
        table.add(row["kind"], size, when, row["name"], row["remark"])
    if rows:
        print_table(table)
    total = sum(row["size_bytes"] for row in rows if row["remark"] != "removed")
    print(f"{total / 1e6:.1f} MB in {cache_root()}")


def _prepared(name: str, data_dir: Path | None, k_core: int | None, of_movies: str | None) -> Path:
    from reeltune.data.store import prepare as prepare_data

    return prepare_data(_config_of(name, k_core, of_movies), data_dir=data_dir, notify=note)


def _config_of(name: str, k_core: int | None, of_movies: str | None) -> DataConfig:
    """Return the config of the data set ``name``, or of the experiment file ``name``."""
    from pydantic import ValidationError

    from reeltune.data.config import DataConfig
    from reeltune.errors import ConfigError

    options = {"k_core": k_core, "credits": of_movies}
    given = {key: value for key, value in options.items() if value is not None}
    try:
        if name.endswith((".yaml", ".yml")):
            from reeltune.tuning.study.experiment_file import load_experiment

            config = load_experiment(Path(name)).spec.data
            return DataConfig.model_validate({**config.model_dump(), **given})
        return DataConfig.model_validate({"dataset": name, **given})
    except ValidationError as error:
        raise ConfigError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error


def _print_summary(report: PreparationReport, summary: Summary) -> None:
    print(f"source         {report.origin}")
    print(f"rows read      {report.n_rows:,}")
    print(
        f"left out       {report.n_duplicates:,} exact duplicates; {report.n_rare_rows:,} rows of "
        f"{report.n_rare_items:,} rare movies; {report.n_short_rows:,} rows of "
        f"{report.n_short_users:,} users with too few events to be split"
    )
    for line in report.notes:
        print(f"               {line}")
    if report.n_without_history:
        print(f"               {report.n_without_history:,} targets of users without an earlier event")
    if report.n_train_only_users:
        print(f"train only     {report.n_train_only_users:,} users with too few events for the split")
    if report.n_unseen_targets:
        print(f"unseen         {report.n_unseen_targets:,} targets are movies without any training event")
    print(
        f"kept           {summary.n_interactions:,} rows, {summary.n_users:,} users, "
        f"{summary.n_items:,} movies"
    )
    print(
        f"density        {summary.density:.3%}; the top tenth of the movies has {summary.top_tenth_share:.1%}"
    )
    if summary.first_second is not None and summary.last_second is not None:
        print(f"time           {_day(summary.first_second)} to {_day(summary.last_second)}")
    if summary.tie_share is None:
        print("ties           unknown: no row has a timestamp")
    else:
        print(f"ties           {summary.tie_share:.1%} of the timed rows share their second")
    print(f"no timestamp   {1 - summary.timed_share:.1%} of the rows")
    print(
        f"movies without title {summary.no_title_share:.1%}, year {summary.no_year_share:.1%}, "
        f"genre {summary.no_genre_share:.1%}"
    )
    quantiles = ", ".join(f"{name} {value:,}" for name, value in summary.length_quantiles.items())
    print(f"events a user  {quantiles}")
    _print_bars(summary.length_counts)
    print("rows by stars")
    _print_bars(summary.rating_counts)


def _print_bars(counts: dict[str, int]) -> None:
    largest = max(counts.values(), default=1)
    for label, count in counts.items():
        bar = "#" * round(_BAR_WIDTH * count / largest) or ("|" if count else "")  # few, but some
        print(f"  {label:>12} {bar:<{_BAR_WIDTH}} {count:,}")


def _day(second: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d")
