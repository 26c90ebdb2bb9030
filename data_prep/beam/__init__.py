"""Preparations on Apache Beam; `pip install '.[beam]'` installs it."""
