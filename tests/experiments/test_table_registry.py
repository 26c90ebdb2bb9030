"""The registry of tables: every table that a module declares is in it, under its name."""

import importlib
import pkgutil
from collections.abc import Iterator

import experiments
from experiments.table_registry import TABLES
from experiments.tables import datasets
from experiments.tables.spec import Table


def declared() -> Iterator[Table]:
    """The tables in the modules that declare any, by themselves, in tuples or in dictionaries."""
    for module in pkgutil.walk_packages(experiments.__path__, "experiments."):
        if module.name.endswith((".tables", ".table")) and not module.ispkg:
            for value in vars(importlib.import_module(module.name)).values():
                values = value.values() if isinstance(value, dict) else value
                several = isinstance(value, dict | tuple)
                yield from (one for one in (values if several else [value]) if type(one) is Table)


def test_no_table_is_forgotten():
    found = {table.name: table for table in declared()}
    assert len(found) == 23
    assert found == TABLES


def test_tables_are_of_data_that_can_be_made():
    for name, table in TABLES.items():
        assert table.name == name
        assert table.data in datasets.SOURCES
        assert {"small", "smoke"} <= set(table.presets)
