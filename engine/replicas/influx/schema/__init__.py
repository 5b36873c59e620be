"""The schema in InfluxDB: points, display fields, markers, changes, and HomeIQ's old measurements."""
