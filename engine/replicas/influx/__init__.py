"""The InfluxDB replica: its points, its two wires, and how it is read and written."""
