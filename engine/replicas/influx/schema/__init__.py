"""The schema in InfluxDB: points, fields for people, markers, changes, and what HomeIQ left."""
