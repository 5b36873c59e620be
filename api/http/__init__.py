"""HTTP itself: server, limits, who is let in, routing, queries, problems, caching. Knows no registry."""
