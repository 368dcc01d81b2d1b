"""The data sets that reeltune knows by name: licence, forms, and where they come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reeltune.data import movielens
from reeltune.data.interactions import RawDataset
from reeltune.data.sources import Layout
from reeltune.data.synthetic import synthetic_data

__all__ = ["DATASETS", "DatasetEntry", "Package"]


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
    """Name of its folder and of the beginning of its archives."""
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
        },
    ),
    Layout(
        "copy in the RecBole wheel",
        ("ml-100k.inter", "ml-100k.item"),
        movielens.read_recbole,
        {
            "ml-100k.inter": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
            "ml-100k.item": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
        },
    ),
)
_ML1M_MOVIES = "0140fc2356357c1a851d0f52e893a1e4d3696df632c4141cea8d5bc3d621f0b9"
_ML1M = (
    Layout(
        "publisher's files",
        ("ratings.dat", "movies.dat"),
        movielens.read_dat_edition,
        {"movies.dat": _ML1M_MOVIES},
    ),
    Layout(
        "file with chronological ranks",
        ("ratings_seq.csv", "movies.dat"),
        movielens.read_ranked_edition,
        {
            "ratings_seq.csv": "08c0649184eb2d916bcc7253220f42d3f5f23fa6917c431a140dfd271c846998",
            "movies.dat": _ML1M_MOVIES,
        },
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
    ),
)

DATASETS: dict[str, DatasetEntry] = {
    "movielens-100k": DatasetEntry(
        summary="MovieLens 100K: 943 users, 1,682 movies, 1997-1998",
        licence=_GROUPLENS,
        citation=_HARPER,
        folder="ml-100k",
        n_rows=100_000,
        layouts=_ML100K,
        address=_ADDRESS + "ml-100k.zip",
        size_bytes=4_924_029,
        archive_checksum="sha256:50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
        package=Package("recbole", "1.2.1", "MIT (the package)", 2_130_151),
    ),
    "movielens-1m": DatasetEntry(
        summary="MovieLens 1M: 6,040 users, 3,706 movies, 2000-2003",
        licence=_GROUPLENS,
        citation=_HARPER,
        folder="ml-1m",
        n_rows=1_000_209,
        layouts=_ML1M,
        address=_ADDRESS + "ml-1m.zip",
        size_bytes=5_917_549,
        archive_checksum="sha256:a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
    ),
    "movielens-latest-small": DatasetEntry(
        summary="MovieLens latest-small (September 2018): 610 users, 9,724 movies, 1996-2018",
        licence="non-commercial; may be redistributed under the same terms with its README; cite GroupLens",
        citation=_HARPER,
        folder="ml-latest-small",
        n_rows=100_836,
        layouts=_LATEST_SMALL,
        address=_ADDRESS + "ml-latest-small.zip",
        size_bytes=978_202,
        archive_checksum="sha256:696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436",
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
