"""The editions of MovieLens: their forms, checksums, and where they come from.

Checksums of the archives are the publisher's own (MD5) or those of the archives that were read.
"""

from __future__ import annotations

from reeltune.data.dataset_entry import DatasetEntry, Package
from reeltune.data.readers import movielens, movielens_side
from reeltune.data.sources import Layout

__all__ = ["EDITIONS"]

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
_ML1M_PART = "1273c4edfe3c0ff9e3a0a0d55819faeb947da0ad7df3927333b51ebefbeedc3d"
_ML1M_ARCHIVE = "sha256:a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20"
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

_RECBOLE = Package("recbole", "1.2.1", "MIT (the package)", 2_130_151)
_CASTS = Package("scikit-fusion", "0.2.1", "GPLv3 (the package)", 6_755_792, is_source=True)
"""Casts of 8,570 movies by ``movieId``, which all editions but 100K share."""

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
    people_package: Package = _CASTS,
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
        people_package=people_package,
    )


EDITIONS: dict[str, DatasetEntry] = {
    "movielens-100k": _edition(
        "MovieLens 100K: 943 users, 1,682 movies, 1997-1998",
        folder="ml-100k",
        n_rows=100_000,
        layouts=_ML100K,
        size_bytes=4_924_029,
        checksum="sha256:50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
        package=_RECBOLE,
        people_package=_RECBOLE,
    ),
    "movielens-1m": _edition(
        "MovieLens 1M: 6,040 users, 3,706 movies, 2000-2003",
        folder="ml-1m",
        n_rows=1_000_209,
        layouts=_ML1M,
        size_bytes=5_917_549,
        checksum=_ML1M_ARCHIVE,
    ),
    "movielens-1m-part": DatasetEntry(
        summary="MovieLens 1M, users 1 to 2,999 only, all with timestamps: for splits by time",
        licence=_GROUPLENS,
        citation=_HARPER,
        folder="ml-1m-users-0001-2999",
        aliases=("ml-1m-users", "ml-1m"),
        n_rows=487_650,
        layouts=(
            Layout(
                "first lines of the publisher's file",
                ("ratings.dat", "movies.dat"),
                movielens.read_dat_edition,
                {"ratings.dat": _ML1M_PART, "movies.dat": _ML1M_MOVIES},
                movielens_side.DAT_SIDE,
            ),
            Layout(
                "publisher's whole files, the first users of them",
                ("ratings.dat", "movies.dat"),
                movielens.read_first_users,
                {"movies.dat": _ML1M_MOVIES},
                movielens_side.DAT_SIDE,
            ),
        ),
        address=_ADDRESS + "ml-1m.zip",
        size_bytes=5_917_549,
        archive_checksum=_ML1M_ARCHIVE,
        people_package=_CASTS,
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
}
"""Editions of MovieLens by name."""
