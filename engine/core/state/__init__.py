"""The engine's knowledge at a moment, and its wording: status, report, hints, fate."""
