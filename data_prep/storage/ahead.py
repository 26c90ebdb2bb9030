"""Makes the next item of an iterator while the current one is in use."""

import concurrent.futures
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")

_END = object()


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Yields items, each of which a thread makes while the one before it is in use.

    An error of the iterator comes in the place of its item.
    """
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, items, _END)
        while (item := waiting.result()) is not _END:
            waiting = pool.submit(next, items, _END)
            yield item  # type: ignore[misc]
