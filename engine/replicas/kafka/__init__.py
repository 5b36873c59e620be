"""Kafka as a records store: the newest event of every record in compacted topics, and every change in one feed."""
