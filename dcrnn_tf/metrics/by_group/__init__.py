"""Metrics that are computed within each group of rows, such as those of a user, then averaged."""
