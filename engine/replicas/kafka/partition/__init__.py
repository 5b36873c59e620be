"""One partition of the topics, which the homes of one claim share."""
