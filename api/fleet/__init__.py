"""The HTTP API of a fleet view: queries over all homes of a fleet, answered from their topics, and a page."""
