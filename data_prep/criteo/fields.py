"""Criteo's columns, and how its counts may be encoded."""

LABEL = "click"
COUNTS = tuple(f"I{number}" for number in range(1, 14))
IDS = tuple(f"C{number}" for number in range(1, 27))
COLUMNS = (LABEL, *COUNTS, *IDS)
NUMERIC_CHOICES = ("log", "quantile", "standard")
AUTO = "auto"  # a scale of the confidences that is chosen by their correlation
