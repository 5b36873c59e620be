"""The wires to an InfluxDB: v1 and v2 over HTTP, and the meaning of the servers' errors."""
