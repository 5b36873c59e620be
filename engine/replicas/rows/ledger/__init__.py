"""The tables of our own in the rows file: what was last applied, missed, deleted and changed, and by which run."""
