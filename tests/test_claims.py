"""Who may write a home."""

import os

from engine.claims import claim_alone


def test_a_home_that_is_kept_alone_is_never_lost_and_says_by_whom() -> None:
    claim = claim_alone("flat")
    claim.check()
    assert claim.covers("flat")
    assert not claim.covers("house")
    host, _, process = claim.owner.rpartition("@")
    assert host
    assert process == str(os.getpid())
