"""Intervals of metrics, for the chance of which rows were measured."""

LEVEL = 0.95
"""Share of such intervals that hold the value of endless rows."""
