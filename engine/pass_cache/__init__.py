"""The cache that a pass writes for the next process, so that its cost depends on the changes. Any part may be missing."""
