"""A running Home Assistant, over its websocket API: the connection, what is asked, what is followed."""
