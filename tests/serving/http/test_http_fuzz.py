"""Requests made up from the service's own description never end in a server error."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode

from reeltune.serving.bundle.bundle import export_bundle
from reeltune.serving.http.app import guarded
from reeltune.serving.http.service import Service
from serving_parts import make_parts

OPERATIONS = {
    "/recommend": "POST",
    "/similar": "GET",
    "/movies": "GET",
    "/genres": "GET",
    "/history": "POST",
    "/health": "GET",
    "/metrics": "GET",
    "/reload": "POST",
}


@pytest.fixture(scope="module", name="described")
def _described(tmp_path_factory: pytest.TempPathFactory):
    bundle = export_bundle(make_parts(), tmp_path_factory.mktemp("served") / "bundle")
    return schemathesis.openapi.from_asgi("/openapi.json", guarded(Service(bundle)))


@pytest.mark.slow
def test_each_operation_is_tried(described) -> None:
    raw = described.raw_schema["paths"]
    assert {(path, method.upper()) for path, methods in raw.items() for method in methods} == set(
        OPERATIONS.items()
    )


@pytest.mark.soak
@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("path", OPERATIONS)
def test_no_request_ends_in_a_server_error(described, path: str, mode: GenerationMode) -> None:
    operation = described[path][OPERATIONS[path]]
    has_fields = operation.body or operation.query
    if mode is GenerationMode.NEGATIVE and not has_fields:
        pytest.skip("nothing in it can be wrong")

    @settings(
        max_examples=100 if has_fields else 5,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    @given(st.data())
    def try_requests(data) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        case.validate_response(case.call(), checks=[not_a_server_error])

    try_requests()
