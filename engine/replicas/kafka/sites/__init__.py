"""The status and owner of each home of a fleet: the messages of the topic `sites`, and their combination. Pure."""
