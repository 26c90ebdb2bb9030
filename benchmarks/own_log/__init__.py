"""The preparation of an own log: joined files, derived columns, histories."""
