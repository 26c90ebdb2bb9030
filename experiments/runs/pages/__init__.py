"""The pages of runs: reports and model cards, and the sections that they share."""
