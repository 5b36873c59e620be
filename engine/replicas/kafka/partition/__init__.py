"""A partition of the topics, as the homes of one claim share it."""
