"""Home Assistant at rest: captures, the storage folder, backups, and looking at them now and then."""
