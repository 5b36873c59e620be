"""Compares two sides: their differences, the plan that removes them, and the report on both."""
