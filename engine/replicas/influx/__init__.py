"""The InfluxDB replica: its points, its two wires, how it is read and how it is written."""
