"""Many homes in one process: their settings files, what starts and stops them, and how they are served.

Only composition: a home itself is a `Mirror` and knows of no other. Nothing that one home does may end, delay or
confuse another one.
"""
