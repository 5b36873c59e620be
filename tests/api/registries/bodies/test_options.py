"""Only the options about the display of a value are served."""

from api.registries.bodies.options import served_options


def test_only_display_settings_are_served() -> None:
    options = {"lock": {"default_code": "1234"}, "sensor": {"display_precision": 1, "private": "x"}, "bad": 3}
    assert served_options(options) == {"sensor": {"display_precision": 1}}
