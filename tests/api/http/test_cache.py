"""A bounded cache whose answers need a data version."""

from api.http.cache import AnswerCache, CachedAnswer


def answer(body: bytes) -> CachedAnswer:
    return CachedAnswer("etag", body, None)


def test_an_answer_is_found_under_its_witness_only() -> None:
    cache = AnswerCache()
    cache.put("a", 1, answer(b"1"))
    assert cache.get("a", 1) == answer(b"1")
    assert [cache.get("a", 2), cache.get("a", None), cache.get("b", 1)] == [None, None, None]
    cache.put("a", 2, answer(b"2"))
    assert [cache.get("a", 1), cache.get("a", 2)] == [None, answer(b"2")]


def test_without_a_witness_nothing_is_kept() -> None:
    cache = AnswerCache()
    cache.put("a", None, answer(b"1"))
    assert cache.get("a", None) is None


def test_the_least_recently_used_goes_first() -> None:
    cache = AnswerCache(10)
    for request in "ab":
        cache.put(request, 1, answer(b"1234"))
    assert cache.get("a", 1) is not None
    cache.put("c", 1, answer(b"1234"))
    assert [cache.get(r, 1) is not None for r in "abc"] == [True, False, True]


def test_an_answer_that_is_too_large_is_not_cached() -> None:
    cache = AnswerCache(10)
    cache.put("a", 1, answer(b"12345678901"))
    assert cache.get("a", 1) is None
