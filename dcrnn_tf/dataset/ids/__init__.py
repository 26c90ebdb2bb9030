"""How ids find their embedding rows: by an index of those that are known, or by their hashes."""
