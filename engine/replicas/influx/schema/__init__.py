"""What stands in an InfluxDB: points, fields for people, markers, changes, and what HomeIQ left."""
