"""What the engine knows at a moment, and the words for it: status, report, hints, fate."""
