"""The HTTP port of a fleet view: questions about all homes of a fleet, answered from what their topics say, and a page."""
