"""Tags differ by revision, address and process."""

from starlette.requests import Request

from api.http.etags import RequestTag


def tag(path: str = "/a", query: bytes = b"", process: str = "1", known: bytes = b"") -> RequestTag:
    headers = [(b"if-none-match", known)] if known else []
    return RequestTag(
        Request({"type": "http", "method": "GET", "path": path, "query_string": query, "headers": headers}),
        process,
    )


def test_equal_requests_have_equal_tags() -> None:
    assert tag().at(7) == tag().at(7)
    assert tag().at(7).startswith('W/"r7-')


def test_anything_else_makes_another_tag() -> None:
    tags = {tag().at(7), tag().at(8), tag("/b").at(7), tag(query=b"x").at(7), tag(process="2").at(7)}
    assert len(tags) == 5


def test_the_clients_tags_are_compared_weakly() -> None:
    etag = tag().at(7)
    for known in (etag, etag[2:], f'"x" , {etag}', "*"):
        assert tag(known=known.encode()).is_known(etag)
    for known in ("", '"x"', etag[:-2]):
        assert not tag(known=known.encode()).is_known(etag)
