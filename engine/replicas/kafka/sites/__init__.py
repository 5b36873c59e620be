"""The status of a fleet's homes, and which process keeps each: the messages of the topic `sites`, and their sum. Pure."""
