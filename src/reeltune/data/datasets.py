"""The data sets that reeltune knows by name: licence, forms, and where they come from."""

from __future__ import annotations

from reeltune.data.dataset_entry import DatasetEntry, OwnFiles
from reeltune.data.interactions import RawDataset
from reeltune.data.movielens_editions import EDITIONS
from reeltune.data.readers import rotten_tomatoes
from reeltune.data.readers.amazon import read_amazon
from reeltune.data.readers.columns import Columns
from reeltune.data.readers.tables import read_table
from reeltune.data.sources import FileSet, Layout
from reeltune.data.synthetic.generate import synthetic_data

__all__ = ["DATASETS"]

_AMAZON_META = "meta_Movies_and_TV*.json*"


def _amazon_layout(name: str, pattern: str) -> Layout:
    def read(files: FileSet) -> RawDataset:
        return read_amazon(files, pattern, _AMAZON_META if files.has(_AMAZON_META) else None)

    return Layout(name, (pattern,), read, optional=(_AMAZON_META,))


def _read_own_amazon(files: FileSet, path: str, movies: str | None, _: Columns | None) -> RawDataset:
    return read_amazon(files, path, movies)


def _read_own_table(files: FileSet, path: str, movies: str | None, columns: Columns | None) -> RawDataset:
    assert columns is not None  # DataConfig refuses a table without
    return read_table(files, path, columns, movies=movies)


DATASETS: dict[str, DatasetEntry] = {
    **EDITIONS,
    "rotten-tomatoes": DatasetEntry(
        summary="Rotten Tomatoes critic reviews with fresh and rotten: 3,495 critics, 1,135 movies",
        licence="none stated; the texts belong to their authors: no redistribution",
        citation="rottentomatoes.com, as collected for the Flatiron School's data science course",
        folder="rotten-tomatoes",
        layouts=(
            Layout(
                "tab-separated files",
                (rotten_tomatoes.REVIEWS,),
                rotten_tomatoes.read_rotten_tomatoes,
                optional=(rotten_tomatoes.MOVIES,),
            ),
        ),
    ),
    "amazon-reviews": DatasetEntry(
        summary="Amazon reviews, JSON lines of 2014, 2018 or 2023: Movies and TV, or what path names",
        licence="research use, no redistribution; the texts belong to their authors",
        citation="McAuley et al. 2015 (2014), Ni et al. 2019 (2018), Hou et al. 2024 (2023)",
        folder="amazon-reviews",
        aliases=("amazon-movies-tv-head999", "Movies_and_TV", "reviews_Movies_and_TV"),
        layouts=(
            _amazon_layout("JSON lines", "Movies_and_TV*.json*"),
            _amazon_layout("JSON lines of 2014", "reviews_Movies_and_TV*.json*"),
        ),
        own=OwnFiles(_read_own_amazon, needs_path=False),
    ),
    "csv": DatasetEntry(
        summary="your own table, CSV or Parquet: the keys path and columns of an experiment file describe it",
        licence="yours",
        citation="yours",
        folder="csv",
        own=OwnFiles(_read_own_table, has_columns=True),
    ),
    "synthetic": DatasetEntry(
        summary="generated film-goers with a known best score: 400 users, 200 movies",
        licence="none needed",
        citation="none needed",
        folder="synthetic",
        generate=lambda: synthetic_data().raw,
    ),
}
"""Data sets by name."""
