"""Home Assistant's files: captures, the storage folder, backups, and polling them for changes."""
