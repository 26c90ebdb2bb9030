"""Columns of lists that hold more than ids: vectors, and ids with weights."""
