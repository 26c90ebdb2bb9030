"""Counts raw ids with many workers."""

from collections.abc import Iterable, Iterator

import apache_beam as beam
import polars as pl

from data_prep.storage.vocabulary import IdCounter

ROWS_PER_PARTITION = 1 << 22


def partitions(rows: int) -> int:
    """Over how many parts the ids of a field are spread, so that each fits into a worker."""
    return 1 + rows // ROWS_PER_PARTITION


class CountIds(beam.PTransform):
    """Sums counts of ids: pairs of a field's name and a table of `IdCounter` in, such pairs out.

    Each id stands in one of the tables that come out; a field has as many as `partitions`.
    """

    def __init__(self, partitions: int):
        super().__init__()
        self._partitions = partitions

    def expand(self, tables: beam.PCollection) -> beam.PCollection:
        """Adds the steps."""
        return (
            tables
            | "Spread ids" >> beam.FlatMap(_spread, self._partitions)
            | "Sum counts" >> beam.CombinePerKey(_SumCounts())
            | "Drop partition" >> beam.MapTuple(lambda key, table: (key[0], table))
        )


class _SumCounts(beam.CombineFn):
    def create_accumulator(self) -> IdCounter:
        return IdCounter()

    def add_input(self, counter: IdCounter, table: pl.DataFrame) -> IdCounter:
        counter.add(table["id"], table["count"])
        return counter

    def merge_accumulators(self, counters: Iterable[IdCounter]) -> IdCounter:
        return sum_tables(counter.table() for counter in counters)

    def extract_output(self, counter: IdCounter) -> pl.DataFrame:
        return counter.table()


def sum_tables(tables: Iterable[pl.DataFrame]) -> IdCounter:
    """A counter of all that tables of other counters count."""
    counter = IdCounter()
    for table in tables:
        if table.height:  # an empty one may not know whether ids are numbers or text
            counter.add(table["id"], table["count"])
    return counter


def _spread(element: tuple[str, pl.DataFrame], partitions: int) -> Iterator:
    field, table = element
    if partitions == 1:
        yield (field, 0), table
        return
    number = pl.col("id").hash(seed=0) % partitions
    parts = table.with_columns(number.alias("number")).partition_by("number", as_dict=True)
    for (number,), part in parts.items():
        yield (field, number), part.drop("number")
