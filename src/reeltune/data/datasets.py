"""The data sets that reeltune knows by name: licence, forms, and where they come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reeltune.data import movielens, movielens_side, rotten_tomatoes
from reeltune.data.amazon import read_amazon
from reeltune.data.columns import Columns
from reeltune.data.interactions import RawDataset
from reeltune.data.sources import FileSet, Layout
from reeltune.data.synthetic import synthetic_data
from reeltune.data.tables import read_table

__all__ = ["DATASETS", "DatasetEntry", "OwnFiles", "Package"]


@dataclass(frozen=True)
class OwnFiles:
    """How files that the user names with the key ``path`` are read."""

    read: Callable[[FileSet, str, str | None, Columns | None], RawDataset]
    """Reader of the file of ratings, the optional file of movies, and the mapping of columns."""
    needs_path: bool = True
    has_columns: bool = False
    """Whether the key ``columns`` is needed; it is refused where it is not."""


@dataclass(frozen=True)
class Package:
    """A release in the Python package registry that carries the data; opened, never installed."""

    name: str
    version: str
    licence: str
    size_bytes: int


@dataclass(frozen=True)
class DatasetEntry:
    """What is known of a data set before it is fetched."""

    summary: str
    licence: str
    citation: str
    folder: str
    """Name of its folder, as the publisher's archive holds it."""
    n_rows: int | None = None
    """Rows of the whole data set; a source with another number is damaged or cut."""
    layouts: tuple[Layout, ...] = ()
    address: str | None = None
    """Where the publisher offers the archive."""
    size_bytes: int = 0
    """Size of the publisher's archive."""
    archive_checksum: str | None = None
    """Checksum of the publisher's archive, as ``sha256:...`` or ``md5:...``."""
    package: Package | None = None
    generate: Callable[[], RawDataset] | None = None
    """Makes the rows; for data sets that are not read from files."""
    own: OwnFiles | None = None
    """For data sets whose files the user may name."""
    aliases: tuple[str, ...] = ()
    """Further names under which folders and archives of the data set are found."""

    @property
    def names(self) -> tuple[str, ...]:
        """How folders and archives of the data set are usually called."""
        stem = "" if self.address is None else self.address.rsplit("/", 1)[-1].removesuffix(".zip")
        return (self.folder, *((stem,) if stem not in {"", self.folder} else ()), *self.aliases)


_GROUPLENS = (
    "research use, no redistribution without permission, no commercial use without permission, "
    "cite GroupLens (the README in the archive has the full terms)"
)
_HARPER = (
    "F. M. Harper and J. A. Konstan. 2015. The MovieLens Datasets: History and Context. "
    "ACM TiiS 5(4), 19. https://doi.org/10.1145/2827872"
)
_ADDRESS = "https://files.grouplens.org/datasets/movielens/"

_ML100K = (
    Layout(
        "publisher's files",
        ("u.data", "u.item"),
        movielens.read_u,
        {
            "u.data": "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490",
            "u.item": "553841ebc7de3a0fd0d6b62a204ea30c1e651aacfb2814c7a6584ac52f2c5701",
            "u.user": "f120e114da2e8cf314fd28f99417c94ae9ddf1cb6db8ce0e4b5995d40e90e62c",
        },
        movielens_side.U_SIDE,
    ),
    Layout(
        "copy in the RecBole wheel",
        ("ml-100k.inter", "ml-100k.item"),
        movielens.read_recbole,
        {
            "ml-100k.inter": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
            "ml-100k.item": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
        },
        movielens_side.RECBOLE_SIDE,
    ),
)
_ML1M_MOVIES = "0140fc2356357c1a851d0f52e893a1e4d3696df632c4141cea8d5bc3d621f0b9"
_ML1M = (
    Layout(
        "publisher's files",
        ("ratings.dat", "movies.dat"),
        movielens.read_dat_edition,
        {"movies.dat": _ML1M_MOVIES},
        movielens_side.DAT_SIDE,
    ),
    Layout(
        "file with chronological ranks",
        ("ratings_seq.csv", "movies.dat"),
        movielens.read_ranked_edition,
        {
            "ratings_seq.csv": "08c0649184eb2d916bcc7253220f42d3f5f23fa6917c431a140dfd271c846998",
            "movies.dat": _ML1M_MOVIES,
        },
        movielens_side.DAT_SIDE,
    ),
)
_LATEST_SMALL = (
    Layout(
        "publisher's files",
        ("ratings.csv", "movies.csv"),
        movielens.read_csv_edition,
        {
            "ratings.csv": "aa289ca83157595d0df6aea1be6a4ded676ddc4385472e8313a8ed9805352646",
            "movies.csv": "5a5f32dd9bb3797b8e728a1b98958789d2b13f294a69fdfbc5727f8a9611aa07",
        },
        movielens_side.CSV_SIDE,
    ),
)

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


_CSV = (
    Layout(
        "publisher's files",
        ("ratings.csv", "movies.csv"),
        movielens.read_csv_edition,
        optional=movielens_side.CSV_SIDE,
    ),
)


def _edition(
    summary: str,
    *,
    folder: str,
    n_rows: int,
    layouts: tuple[Layout, ...],
    size_bytes: int,
    checksum: str,
    archive: str | None = None,
    licence: str = _GROUPLENS,
    package: Package | None = None,
) -> DatasetEntry:
    """Return the entry of a MovieLens edition."""
    return DatasetEntry(
        summary=summary,
        licence=licence,
        citation=_HARPER,
        folder=folder,
        n_rows=n_rows,
        layouts=layouts,
        address=_ADDRESS + (archive or f"{folder}.zip"),
        size_bytes=size_bytes,
        archive_checksum=checksum,
        package=package,
    )


DATASETS: dict[str, DatasetEntry] = {
    "movielens-100k": _edition(
        "MovieLens 100K: 943 users, 1,682 movies, 1997-1998",
        folder="ml-100k",
        n_rows=100_000,
        layouts=_ML100K,
        size_bytes=4_924_029,
        checksum="sha256:50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
        package=Package("recbole", "1.2.1", "MIT (the package)", 2_130_151),
    ),
    "movielens-1m": _edition(
        "MovieLens 1M: 6,040 users, 3,706 movies, 2000-2003",
        folder="ml-1m",
        n_rows=1_000_209,
        layouts=_ML1M,
        size_bytes=5_917_549,
        checksum="sha256:a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
    ),
    "movielens-10m": _edition(
        "MovieLens 10M: 69,878 users, 10,677 movies, 1995-2009",
        folder="ml-10M100K",
        archive="ml-10m.zip",
        n_rows=10_000_054,
        layouts=(
            Layout(
                "publisher's files",
                ("ratings.dat", "movies.dat"),
                movielens.read_dat_edition,
                optional=movielens_side.DAT_SIDE,
            ),
        ),
        size_bytes=65_566_137,
        checksum="md5:ce571fd55effeba0271552578f2648bd",
    ),
    "movielens-20m": _edition(
        "MovieLens 20M: 138,493 users, 26,744 movies, 1995-2015",
        folder="ml-20m",
        n_rows=20_000_263,
        layouts=_CSV,
        size_bytes=198_702_078,
        checksum="sha256:96f243c338a8665f6bcc89c53edf6ee39162a846940de6b7c8c48aeada765ff3",
    ),
    "movielens-25m": _edition(
        "MovieLens 25M: 162,541 users, 59,047 movies, 1995-2019",
        folder="ml-25m",
        n_rows=25_000_095,
        layouts=_CSV,
        size_bytes=261_978_986,
        checksum="sha256:8b21cfb7eb1706b4ec0aac894368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa",
    ),
    "movielens-32m": _edition(
        "MovieLens 32M: 200,948 users, 84,432 movies, 1995-2023",
        folder="ml-32m",
        n_rows=32_000_204,
        layouts=_CSV,
        size_bytes=238_950_008,
        checksum="md5:d472be332d4daa821edc399621853b57",
    ),
    "movielens-latest-small": _edition(
        "MovieLens latest-small (September 2018): 610 users, 9,724 movies, 1996-2018",
        folder="ml-latest-small",
        n_rows=100_836,
        layouts=_LATEST_SMALL,
        size_bytes=978_202,
        checksum="sha256:696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436",
        licence="non-commercial; may be redistributed under the same terms with its README; cite GroupLens",
    ),
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
