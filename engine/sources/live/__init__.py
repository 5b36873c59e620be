"""A running Home Assistant, over its websocket API: the connection, its commands and its subscriptions."""
