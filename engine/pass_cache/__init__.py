"""What a pass leaves for the next process, so that it costs what changed. Only a cache: every part may be missing."""
