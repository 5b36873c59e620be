"""Problem documents."""

import msgspec

from api.http.problems import Problem, store_problem
from engine.errors import ReplicaUnavailable


def test_a_problem_is_a_document() -> None:
    response = Problem(404, "No such device.", headers={"x-a": "b"}).response("/api/devices/x")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.headers["x-a"], response.headers["cache-control"]) == ("b", "no-store")
    assert msgspec.json.decode(response.body) == {
        "title": "Not Found",
        "status": 404,
        "detail": "No such device.",
        "instance": "/api/devices/x",
    }


def test_an_unreadable_store_is_answered_with_a_retry_time() -> None:
    problem = store_problem(ReplicaUnavailable("sqlite", "locked", "wait"))
    assert (problem.status, problem.detail, problem.headers["retry-after"]) == (503, "locked wait", "5")
