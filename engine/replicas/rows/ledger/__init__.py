"""Our own tables in the rows file: last applied versions, absences, tombstones, changes, and runs."""
