"""Items that are made while those before them are in use."""

import threading

import pytest

from data_prep.storage.ahead import ahead


def test_items_come_in_order_and_an_error_in_its_place():
    def items():
        yield from range(5)
        raise ValueError("no sixth")

    made = ahead(items())
    assert [next(made) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="no sixth"):
        next(made)
    assert list(ahead(iter([]))) == []
    assert list(ahead(iter([None, None]))) == [None, None]


def test_the_next_item_is_made_while_one_is_in_use():
    made = threading.Event()

    def items():
        yield 1
        made.set()
        yield 2

    for item in ahead(items()):
        assert item == 2 or made.wait(60)


def test_what_is_left_early_ends_its_thread():
    before = threading.active_count()
    items = ahead(iter(range(10)))
    assert next(items) == 0
    assert threading.active_count() == before + 1
    items.close()
    assert threading.active_count() == before
