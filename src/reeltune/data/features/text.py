"""Text of the movies: words without stop words, stemmed, TF-IDF, reduced to a dense vector.

Shapes: V catalogue, F text vector.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from reeltune.data.prepare.side import Details, Tags
from reeltune.data.prepared import Catalogue, Sequences
from reeltune.errors import ConfigError

_WORD = re.compile(r"[^\W\d_]{2,}")
_YEAR = re.compile(r"\(\d{4}\)\s*$")
_MAX_REVIEW_CHARACTERS = 20_000
"""Characters of reviews that are read of each movie: a few hundred critics' sentences."""


def movie_texts(
    catalogue: Catalogue, train: Sequences, details: Details, tags: Tags | None = None
) -> list[str]:
    """Return title, plot, tags and training reviews of each movie as one text, [V].

    Reviews are read in order, up to 20,000 characters a movie.
    """
    parts = [[_YEAR.sub("", title)] for title in catalogue.titles]
    for part, plot in zip(parts, details.plots, strict=False):  # no plots at all are an empty tuple
        part.append(plot)
    if tags is not None:
        for item, tag in zip(tags.item.tolist(), tags.texts, strict=True):
            parts[item - 1].append(tag)
    if train.reviews is not None:
        lengths = np.zeros(len(parts), dtype=np.int64)
        for event in np.flatnonzero(train.reviews.is_present):
            row = int(train.items[event]) - 1
            if lengths[row] < _MAX_REVIEW_CHARACTERS:
                review = train.reviews[int(event)]
                parts[row].append(review)
                lengths[row] += len(review)
    return ["\n".join(part) for part in parts]


def stems_of(texts: Sequence[str]) -> list[list[str]]:
    """Return the stems of the words of each text, stop words left out.

    >>> stems_of(["The running men of 1999 were running!"])
    [['run', 'men', 'run']]
    """
    import snowballstemmer
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    stem = cache(snowballstemmer.stemmer("english").stemWord)
    return [
        [stem(word) for word in _WORD.findall(text.lower()) if word not in ENGLISH_STOP_WORDS]
        for text in texts
    ]


def term_vectors(terms: Sequence[Sequence[str]], min_movies: int) -> sparse.csr_array | None:
    """Return the TF-IDF of lists of terms, rows of length 1, float32 [V, F]; None where no term is left."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer=list, min_df=min_movies, sublinear_tf=True, dtype=np.float32)
    try:
        return sparse.csr_array(vectorizer.fit_transform(terms))
    except ValueError:  # no term stands in enough lists
        return None


def tfidf_vectors(texts: Sequence[str], dim: int) -> NDArray[np.float32]:
    """Return the TF-IDF of the texts' stems, reduced to ``dim`` columns, shape [V, F].

    F is ``dim``, or less where there are fewer texts or stems. Stems of one movie only are left out.
    """
    features = term_vectors(stems_of(texts), min_movies=2)
    if features is None:
        return np.zeros((len(texts), 0), dtype=np.float32)
    return _reduced(features, dim)


def sentence_vectors(texts: Sequence[str], dim: int, model: str) -> NDArray[np.float32]:
    """Return embeddings of the texts by a sentence-transformers model, reduced to ``dim`` columns, [V, F]."""
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ConfigError(
            "model.inputs.text is 'sentence-transformers', which is not installed; "
            "pip install sentence-transformers, or choose tfidf"
        ) from error
    try:
        encoder = SentenceTransformer(model)
    except (OSError, ValueError) as error:
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise ConfigError(f"model.inputs.text_model {model!r} cannot be loaded: {first}") from error
    return _reduced(np.asarray(encoder.encode(list(texts)), dtype=np.float32), dim)


def _reduced(features: NDArray[np.float32], dim: int) -> NDArray[np.float32]:
    """Return the ``dim`` directions of most weight (truncated SVD, seed fixed)."""
    from sklearn.decomposition import TruncatedSVD

    n_components = min(dim, min(features.shape) - 1)
    if n_components < 1:
        return np.zeros((features.shape[0], 0), dtype=np.float32)
    reduced = TruncatedSVD(n_components, random_state=0).fit_transform(features)
    return np.asarray(reduced, dtype=np.float32)
