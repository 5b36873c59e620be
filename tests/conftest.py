"""How Hypothesis draws in every test: the same each time, and as slowly as a loaded machine likes."""

from hypothesis import HealthCheck, settings

# A random failure in somebody's CI helps nobody; long searches stand in tests/fuzz, with seeds they print.
settings.register_profile(
    "repository", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repository")
