"""The HTTP API: the mirror's content and state. It only reads, and never controls the engine.

It knows the engine's values (`engine.core`, `engine.errors`) and nothing else of it: rows, the past, the status
and metrics arrive as arguments, through the protocols in `api/ports.py`.

    server ── app ── middleware (limits, token) ── route (query in, body out) ── one module per subject
                                                                └── change_feed: one reader, many listeners
"""
