"""The commands of a running service: `serve`, its health, and the homes that it keeps (`site`)."""
