"""What may be typed where, read off a parser."""

import argparse

from engine.commandline.completion.places import Option, Place, Value, all_places, valued_options


def small_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("-q", "--quiet", action="store_true", help="say less; or nothing")
    parser.add_argument("--format", choices=("text", "json"), help="how")
    parser.add_argument("--only", metavar="REGISTRY,...", help="these")
    commands = parser.add_subparsers()
    store = commands.add_parser("store", add_help=False, help="copies (of the store)")
    snapshot = store.add_subparsers().add_parser("snapshot", add_help=False, help="make one")
    snapshot.add_argument("file", metavar="FILE")
    return parser


def test_every_place_tells_what_may_follow() -> None:
    first, store, snapshot = all_places(small_parser())
    assert first.path == ()
    assert first.options[:2] == (
        Option(("-q", "--quiet"), "say less", None),
        Option(("--format",), "how", Value("FORMAT", ("text", "json"))),
    )
    assert first.commands == (("store", "copies"),)
    assert store == Place(("store",), (), (("snapshot", "make one"),), None)
    assert snapshot == Place(("store", "snapshot"), (), (), Value("FILE", is_file=True))


def test_a_list_of_registries_is_known_by_its_metavar() -> None:
    only = valued_options(tuple(all_places(small_parser())))["--only"]
    assert only.is_list
    assert "device" in only.words
