"""Selects the served options of an entity: only how a value is shown and whether it is exposed.

The other options may be secret: locks and alarm panels keep their default code there.
"""

from collections.abc import Mapping

from engine.core.records.record import Json

# Leaves of entity options that define how a value is shown or whether it is exposed, and nothing else.
_SERVED_OPTIONS = frozenset(
    {
        "display_precision",
        "should_expose",
        "suggested_display_precision",
        "suggested_unit_of_measurement",
        "precipitation_unit",
        "pressure_unit",
        "temperature_unit",
        "unit_of_measurement",
        "visibility_unit",
        "wind_speed_unit",
    }
)


def served_options(options: Mapping[str, Json]) -> dict[str, Json]:
    """An entity's options, by domain, without possible secrets."""
    served = {}
    for domain, values in options.items():
        kept = {k: v for k, v in values.items() if k in _SERVED_OPTIONS} if isinstance(values, dict) else {}
        if kept:
            served[domain] = kept
    return served
