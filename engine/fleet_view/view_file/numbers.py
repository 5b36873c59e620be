"""The number of a device in the view's file: the home's number, a hash of the device's id, and a counter for equal hashes. Pure.

Pages are in the order of these numbers. The numbers depend on names, not on the order of messages, so that another view can
continue the pages of one view.
"""

from collections.abc import Container
from zlib import crc32

SITES_MAX = 100_000
SAME_HASH_MAX = 128

_SITE_BITS, _ID_BITS, _SAME_BITS = 24, 32, 7
_SITE_MASK = (1 << _SITE_BITS) - 1
_BEHIND_SITE = _ID_BITS + _SAME_BITS
LAST = (1 << (_SITE_BITS + _BEHIND_SITE)) - 1


def first_choice(site: str) -> int:
    """The preferred number of a home, which another home may already have."""
    return crc32(site.encode()) & _SITE_MASK


def free_number(site: str, taken: Container[int]) -> int:
    """The number of a new home."""
    number = first_choice(site)
    while number in taken:
        number = (number + 1) & _SITE_MASK
    return number


def numbers_of_site(site_number: int) -> tuple[int, int]:
    """The first and last number that a device of the home can have."""
    first = site_number << _BEHIND_SITE
    return first, first + (1 << _BEHIND_SITE) - 1


def numbers_of_device(site_number: int, id_: str) -> tuple[int, int]:
    """The first and last number that this device can have."""
    first = (site_number << _BEHIND_SITE) | (crc32(id_.encode("utf-8", "replace")) << _SAME_BITS)
    return first, first + SAME_HASH_MAX - 1


def site_of(number: int) -> int:
    """The number of a device's home."""
    return number >> _BEHIND_SITE
