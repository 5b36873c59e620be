"""What several modules of the integration need to know."""

from datetime import timedelta

DOMAIN = "reconcile"
SCAN_INTERVAL = timedelta(seconds=30)
