"""The wires to an InfluxDB: v1 and v2 over HTTP, and what servers answer when they refuse."""
