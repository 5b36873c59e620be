"""Constants that several modules of the integration share."""

from datetime import timedelta

DOMAIN = "reconcile"
SCAN_INTERVAL = timedelta(seconds=30)
