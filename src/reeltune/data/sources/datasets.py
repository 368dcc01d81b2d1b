"""The data sets that reeltune knows by name: licence, forms, checksums, and where they come from.

Checksums of archives are the publisher's own (MD5) or those of the archives that were read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from reeltune.data.interactions import RawDataset
from reeltune.data.readers import movielens, rotten_tomatoes
from reeltune.data.readers.amazon import read_amazon
from reeltune.data.readers.columns import Columns
from reeltune.data.readers.tables import read_table
from reeltune.data.sources.source import FileSet, KnownDataset, Layout, OwnFiles, Package
from reeltune.data.synthetic import synthetic_data

_GROUPLENS = (
    "research use, no redistribution without permission, no commercial use without permission, "
    "cite GroupLens (the README in the archive has the full terms)"
)
_HARPER = (
    "F. M. Harper and J. A. Konstan. 2015. The MovieLens Datasets: History and Context. "
    "ACM TiiS 5(4), 19. https://doi.org/10.1145/2827872"
)
_ADDRESS = "https://files.grouplens.org/datasets/movielens/"
_RECBOLE = Package("recbole", "1.2.1", "MIT (the package)", 2_130_151)
_CASTS = Package("scikit-fusion", "0.2.1", "GPLv3 (the package)", 6_755_792, is_source=True)
"""Casts of 8,570 movies by ``movieId``, which all editions but 100K share."""
_ML1M_MOVIES = {"movies.dat": "0140fc2356357c1a851d0f52e893a1e4d3696df632c4141cea8d5bc3d621f0b9"}
_ML1M_ARCHIVE = "sha256:a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20"
_AMAZON_META = "meta_Movies_and_TV*.json*"


def _dat(
    name: str = "publisher's files",
    sha256: Mapping[str, str] | None = None,
    read: Callable[[FileSet], RawDataset] = movielens.read_dat_edition,
    ratings: str = "ratings.dat",
) -> Layout:
    return Layout(name, (ratings, "movies.dat"), read, sha256 or {}, movielens.DAT_SIDE)


def _csv(sha256: Mapping[str, str] | None = None) -> Layout:
    files = ("ratings.csv", "movies.csv")
    return Layout("publisher's files", files, movielens.read_csv_edition, sha256 or {}, movielens.CSV_SIDE)


_edition = partial(KnownDataset, licence=_GROUPLENS, citation=_HARPER, credits_package=_CASTS)


_EDITIONS: dict[str, KnownDataset] = {
    "movielens-100k": _edition(
        summary="MovieLens 100K: 943 users, 1,682 movies, 1997-1998",
        folder="ml-100k",
        n_rows=100_000,
        layouts=(
            Layout(
                "publisher's files",
                ("u.data", "u.item"),
                movielens.read_u,
                {
                    "u.data": "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490",
                    "u.item": "553841ebc7de3a0fd0d6b62a204ea30c1e651aacfb2814c7a6584ac52f2c5701",
                    "u.user": "f120e114da2e8cf314fd28f99417c94ae9ddf1cb6db8ce0e4b5995d40e90e62c",
                },
                movielens.U_SIDE,
            ),
            Layout(
                "copy in the RecBole wheel",
                ("ml-100k.inter", "ml-100k.item"),
                movielens.read_recbole,
                {
                    "ml-100k.inter": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
                    "ml-100k.item": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
                },
                movielens.RECBOLE_SIDE,
            ),
        ),
        size_bytes=4_924_029,
        address=_ADDRESS + "ml-100k.zip",
        archive_checksum="sha256:50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
        package=_RECBOLE,
        credits_package=_RECBOLE,
    ),
    "movielens-1m": _edition(
        summary="MovieLens 1M: 6,040 users, 3,706 movies, 2000-2003",
        folder="ml-1m",
        n_rows=1_000_209,
        layouts=(
            _dat(sha256=_ML1M_MOVIES),
            _dat(
                "file with chronological ranks",
                {
                    "ratings_seq.csv": "08c0649184eb2d916bcc7253220f42d3f5f23fa6917c431a140dfd271c846998",
                    **_ML1M_MOVIES,
                },
                movielens.read_ranked_edition,
                "ratings_seq.csv",
            ),
        ),
        size_bytes=5_917_549,
        address=_ADDRESS + "ml-1m.zip",
        archive_checksum=_ML1M_ARCHIVE,
    ),
    "movielens-1m-part": _edition(
        summary="MovieLens 1M, users 1 to 2,999 only, all with timestamps: for splits by time",
        folder="ml-1m-users-0001-2999",
        n_rows=487_650,
        layouts=(
            _dat(
                "first lines of the publisher's file",
                {
                    "ratings.dat": "1273c4edfe3c0ff9e3a0a0d55819faeb947da0ad7df3927333b51ebefbeedc3d",
                    **_ML1M_MOVIES,
                },
            ),
            _dat(
                "publisher's whole files, the first users of them", _ML1M_MOVIES, movielens.read_first_users
            ),
        ),
        size_bytes=5_917_549,
        address=_ADDRESS + "ml-1m.zip",
        archive_checksum=_ML1M_ARCHIVE,
        aliases=("ml-1m-users",),
    ),
    "movielens-10m": _edition(
        summary="MovieLens 10M: 69,878 users, 10,677 movies, 1995-2009",
        folder="ml-10M100K",
        n_rows=10_000_054,
        layouts=(_dat(),),
        size_bytes=65_566_137,
        address=_ADDRESS + "ml-10m.zip",
        archive_checksum="md5:ce571fd55effeba0271552578f2648bd",
    ),
    "movielens-20m": _edition(
        summary="MovieLens 20M: 138,493 users, 26,744 movies, 1995-2015",
        folder="ml-20m",
        n_rows=20_000_263,
        layouts=(_csv(),),
        size_bytes=198_702_078,
        address=_ADDRESS + "ml-20m.zip",
        archive_checksum="sha256:96f243c338a8665f6bcc89c53edf6ee39162a846940de6b7c8c48aeada765ff3",
    ),
    "movielens-25m": _edition(
        summary="MovieLens 25M: 162,541 users, 59,047 movies, 1995-2019",
        folder="ml-25m",
        n_rows=25_000_095,
        layouts=(_csv(),),
        size_bytes=261_978_986,
        address=_ADDRESS + "ml-25m.zip",
        archive_checksum="sha256:8b21cfb7eb1706b4ec0aac894368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa",
    ),
    "movielens-32m": _edition(
        summary="MovieLens 32M: 200,948 users, 84,432 movies, 1995-2023",
        folder="ml-32m",
        n_rows=32_000_204,
        layouts=(_csv(),),
        size_bytes=238_950_008,
        address=_ADDRESS + "ml-32m.zip",
        archive_checksum="md5:d472be332d4daa821edc399621853b57",
    ),
    "movielens-latest-small": _edition(
        summary="MovieLens latest-small (September 2018): 610 users, 9,724 movies, 1996-2018",
        folder="ml-latest-small",
        n_rows=100_836,
        layouts=(
            _csv(
                {
                    "ratings.csv": "aa289ca83157595d0df6aea1be6a4ded676ddc4385472e8313a8ed9805352646",
                    "movies.csv": "5a5f32dd9bb3797b8e728a1b98958789d2b13f294a69fdfbc5727f8a9611aa07",
                }
            ),
        ),
        size_bytes=978_202,
        address=_ADDRESS + "ml-latest-small.zip",
        archive_checksum="sha256:696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436",
        licence="non-commercial; may be redistributed under the same terms with its README; cite GroupLens",
    ),
}


def _amazon(name: str, pattern: str) -> Layout:
    def read(files: FileSet) -> RawDataset:
        return read_amazon(files, pattern, _AMAZON_META if files.has(_AMAZON_META) else None)

    return Layout(name, (pattern,), read, optional=(_AMAZON_META,))


def _read_own_table(files: FileSet, path: str, movies: str | None, columns: Columns | None) -> RawDataset:
    assert columns is not None  # DataConfig refuses a table without
    return read_table(files, path, columns, movies=movies)


DATASETS: dict[str, KnownDataset] = {
    **_EDITIONS,
    "rotten-tomatoes": KnownDataset(
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
    "amazon-reviews": KnownDataset(
        summary="Amazon reviews, JSON lines of 2014, 2018 or 2023: Movies and TV, or what path names",
        licence="research use, no redistribution; the texts belong to their authors",
        citation="McAuley et al. 2015 (2014), Ni et al. 2019 (2018), Hou et al. 2024 (2023)",
        folder="amazon-reviews",
        aliases=("amazon-movies-tv-head999", "Movies_and_TV", "reviews_Movies_and_TV"),
        layouts=(
            _amazon("JSON lines", "Movies_and_TV*.json*"),
            _amazon("JSON lines of 2014", "reviews_Movies_and_TV*.json*"),
        ),
        own=OwnFiles(lambda files, path, movies, _: read_amazon(files, path, movies), needs_path=False),
        can_drop_rows=True,
    ),
    "csv": KnownDataset(
        summary="your own table, CSV or Parquet: the keys path and columns of an experiment file describe it",
        licence="yours",
        citation="yours",
        folder="csv",
        own=OwnFiles(_read_own_table, has_columns=True),
    ),
    "synthetic": KnownDataset(
        summary="generated film-goers with a known best score: 400 users, 200 movies",
        licence="none needed",
        citation="none needed",
        folder="synthetic",
        generate=lambda: synthetic_data().raw,
    ),
}
"""Data sets by name."""
