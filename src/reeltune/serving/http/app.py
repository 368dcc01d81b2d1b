"""The service: recommendations, similar movies, search, a page and its own description.

Answers are computed in a few threads by a :class:`CoalescedRecommender`.
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Annotated, Any

import anyio.to_thread
from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from reeltune.data.readers.exports import read_export
from reeltune.errors import UserError
from reeltune.serving.bundle.engine import OnnxScorer
from reeltune.serving.bundle.reranking import AS_SCORED
from reeltune.serving.http.guard import UPLOAD_PATH, Guard, Measures
from reeltune.serving.http.schema import (
    Health,
    History,
    HistoryMovie,
    Lines,
    Movie,
    Movies,
    Problems,
    RecommendRequest,
    Reloaded,
)
from reeltune.serving.http.service import Service
from reeltune.serving.recommend.coalesced import CoalescedRecommender
from reeltune.serving.recommend.filters import Filters
from reeltune.serving.recommend.recommender import Recommendation
from reeltune.serving.recommend.titles import Watched, known_titles
from reeltune.version import __version__

N_THREADS = 8
"""Requests computed at once; more would only wait for each other's turn."""

_PAGES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/docs": ("docs.html", "text/html; charset=utf-8"),
    "/docs.js": ("docs.js", "text/javascript; charset=utf-8"),
}
"""To try the bundle and to read about it; nothing is loaded from elsewhere."""

_PATHS = {
    *_PAGES,
    *("/recommend", "/similar", "/movies", "/genres", UPLOAD_PATH),
    *("/health", "/metrics", "/reload", "/openapi.json"),
}

_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problems, "description": "The request is no valid JSON"},
    413: {"model": Problems, "description": "The body is too large"},
    422: {"model": Problems, "description": "A field, title or genre cannot be used"},
}


def create_app(service: Service, measures: Measures) -> FastAPI:
    """Return the application that answers from ``service``."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = N_THREADS
        watching = asyncio.create_task(service.watch())
        yield
        watching.cancel()

    app = FastAPI(
        title="reeltune",
        version=__version__,
        summary="Recommendations from an exported bundle.",
        docs_url=None,  # its page loads scripts from another site
        redoc_url=None,
        lifespan=lifespan,
    )
    _add_recommending(app, service)
    _add_operating(app, service, measures)
    for path in _PAGES:
        app.get(path, include_in_schema=False)(functools.partial(_page, path))
    app.exception_handler(RequestValidationError)(_on_invalid)
    app.exception_handler(UserError)(_on_user_error)
    app.exception_handler(HTTPException)(_on_http_error)
    return app


def guarded(service: Service, hosts: tuple[str, ...] = ("*",)) -> Guard:
    """Return the whole service: the application behind its guard, under the names ``hosts``."""
    measures = Measures(frozenset(_PATHS))
    return Guard(create_app(service, measures), measures, hosts)


def _add_recommending(app: FastAPI, service: Service) -> None:
    @app.post("/recommend", response_model=Lines, responses=_REFUSALS)
    def recommend(request: RecommendRequest) -> Response:
        """Rank the movies for a user, seen before or not; seen movies are left out."""
        recommender = service.recommender
        history: list[Watched] = [
            movie.movie if movie.rating is None else (movie.movie, movie.rating) for movie in request.history
        ]
        _check_titles(recommender, [*(movie.movie for movie in request.history), *request.exclude])
        filters = Filters(
            genres=tuple(request.genres),
            without_genres=tuple(request.without_genres),
            first_year=request.first_year,
            last_year=request.last_year,
            people=tuple(request.people),
        )
        rerank = (recommender.tuned if request.tuned else AS_SCORED).changed(
            popularity=request.popularity, novelty=request.novelty, calibration=request.calibration
        )
        found = recommender.recommend(
            history, request.k,
            exclude=request.exclude, filters=filters, rerank=rerank, is_explained=request.explain,
        )  # fmt: skip
        return _lines(found)

    @app.get("/similar", response_model=Lines, responses=_REFUSALS)
    def similar(
        movie: Annotated[str, Query(min_length=1, max_length=300, description="Title, or `id:...`")],
        k: Annotated[int, Query(ge=1, le=100, description="Number of movies")] = 10,
    ) -> Response:
        """List the movies that the network holds nearest to one; the score is a cosine."""
        return _lines(service.recommender.similar(movie, k))

    @app.get("/movies", responses=_REFUSALS)
    def movies(
        q: Annotated[str, Query(max_length=100, description="Words of a title")],
        limit: Annotated[int, Query(ge=1, le=50, description="Most movies listed")] = 10,
    ) -> Movies:
        """Search the catalogue by title; misspelt ones find what comes near."""
        recommender = service.recommender
        codes = recommender.titles.search(q, limit)
        is_exact = bool(codes) or not q.strip()
        if not is_exact:
            codes = [recommender.titles.find(title) for title in recommender.titles.suggest(q, limit)]
        return Movies(movies=[_movie(recommender, code) for code in codes], is_exact=is_exact)

    @app.post(UPLOAD_PATH, responses=_REFUSALS)
    async def history(
        request: Request,
        name: Annotated[str, Query(max_length=200, description="Name of the file, for messages")] = "file",
    ) -> History:
        """Read the ratings that Letterboxd, IMDb or Netflix export, a CSV or zip; nothing is kept."""
        recommender, data = service.recommender, await request.body()
        return await run_in_threadpool(_history, recommender, data, name)

    @app.get("/genres")
    def genres() -> list[str]:
        """List the genres of the catalogue."""
        return sorted({name for row in service.recommender.catalogue.genres for name in row})


def _add_operating(app: FastAPI, service: Service, measures: Measures) -> None:
    @app.get("/health")
    async def health() -> Health:
        """Say that the service answers, and from what."""
        recommender = service.recommender
        model = recommender.bundle.model
        inputs = model.get("inputs", {})
        return Health(
            status="ok",
            version=__version__,
            dataset=recommender.bundle.ledger.dataset,
            n_movies=recommender.catalogue.n_items,
            model=str(model["name"]),
            engine="onnx" if isinstance(recommender.scorer, OnnxScorer) else "torch",
            has_popularity=recommender.bundle.facts.counts is not None,
            has_tuned=recommender.bundle.tuned is not None,
            has_embeddings=recommender.has_embeddings,
            reads_ratings=bool(inputs.get("rating") or inputs.get("taste")),
            lowest_rating=recommender.scale.lowest,
            highest_rating=recommender.scale.highest,
            examples=_examples(recommender),
            bundle=service.fingerprint,
        )

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    def metrics() -> Response:
        """Give the counters in the text form of Prometheus."""
        return Response(measures.text(), headers={"content-type": CONTENT_TYPE_LATEST})

    @app.post("/reload", responses={409: {"model": Problems, "description": "The new bundle cannot be used"}})
    def reload() -> Reloaded:
        """Read the bundle's folder again; requests under way finish with the old one."""
        try:
            reloaded = service.reload(is_wish=True)
        except UserError as error:
            raise HTTPException(409, str(error)) from error
        measures.reloads.inc()
        return reloaded


@functools.cache
def _page_bytes(path: str) -> bytes:
    return (files("reeltune.serving.http") / _PAGES[path][0]).read_bytes()


async def _page(path: str) -> Response:
    headers = {"content-type": _PAGES[path][1], "cache-control": "no-cache"}
    return Response(_page_bytes(path), headers=headers)


def _check_titles(recommender: CoalescedRecommender, titles: Sequence[str]) -> None:
    """Check that all movies are known; the search for near titles is dear and stops after three."""
    problems: list[str] = []
    for title in titles:
        try:
            recommender.titles.find(title)
        except UserError as error:
            problems.append(str(error))
            if len(problems) == 3:
                break
    if problems:
        raise UserError("\n".join(problems))


def _lines(found: Sequence[Recommendation]) -> Response:
    # Written as it is: checking the service's own lists against their description costs half as much
    # as making them. A test holds the two together.
    return Response(json.dumps({"movies": [vars(line) for line in found]}), media_type="application/json")


def _movie(recommender: CoalescedRecommender, code: int) -> Movie:
    catalogue, row = recommender.catalogue, code - 1
    return Movie(
        item_id=catalogue.item_ids[row],
        title=catalogue.titles[row].strip(),
        year=catalogue.years[row],
        genres=list(catalogue.genres[row]),
    )


def _history(recommender: CoalescedRecommender, data: bytes, name: str) -> History:
    export = read_export(data, name, recommender.scale)
    known, unknown = known_titles(recommender.titles, export)
    pairs = [(movie, None) if isinstance(movie, str) else movie for movie in known]
    found = {recommender.titles.find(title): rating for title, rating in reversed(pairs)}
    movies = [
        HistoryMovie(**vars(_movie(recommender, code)), rating=rating)
        for code, rating in reversed(found.items())
    ]
    return History(movies=movies, unknown=unknown[:1000], notes=export.notes)


def _examples(recommender: CoalescedRecommender, n: int = 4) -> list[Movie]:
    """Return the movies that most users saw, the first of the catalogue where that is not known."""
    counts = recommender.bundle.facts.counts
    codes = range(1, recommender.catalogue.n_items + 1)
    order = codes if counts is None else sorted(codes, key=lambda code: -counts[code])
    return [_movie(recommender, code) for code in order[:n]]


def _problems(status: int, problems: list[dict[str, Any]]) -> Response:
    # Plain ASCII: a name in the request may hold half a character, which UTF-8 cannot.
    body = json.dumps({"detail": problems}).encode()
    return Response(body, status, media_type="application/json")


async def _on_invalid(_: Request, error: Exception) -> Response:
    # What was sent is not sent back: it may be large, or no JSON at all.
    assert isinstance(error, RequestValidationError)
    kept = ("loc", "msg", "type")
    return _problems(422, [{key: problem[key] for key in kept} for problem in error.errors()])


async def _on_user_error(_: Request, error: Exception) -> Response:
    lines = str(error).splitlines()
    return _problems(422, [{"loc": ["body"], "msg": line, "type": "unusable"} for line in lines])


async def _on_http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    problem = {"loc": ["request"], "msg": str(error.detail), "type": "refused"}
    response = _problems(error.status_code, [problem])
    response.headers.update(error.headers or {})
    return response
