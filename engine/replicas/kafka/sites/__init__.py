"""How the homes of a fleet are, and who keeps them: the messages of the topic `sites`, and what they amount to. Pure."""
