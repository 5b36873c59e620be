"""The HTTP API: what the mirror holds and how true it is, for readers. It reads and never drives.

It knows the engine's values (`engine.core`, `engine.errors`) and nothing else of it: rows, the past, the status
and metrics arrive as arguments, as the protocols in `api/ports.py`.

    server ── app ── middleware (limits, token) ── route (query in, body out) ── one module per subject
                                                                └── change_feed: one reader, many listeners
"""
