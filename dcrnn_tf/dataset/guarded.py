"""Wraps a `tf.data` dataset so that errors of fetching an element can be explained."""

import contextlib
from collections.abc import Callable

import tensorflow as tf
from tensorflow.python.data.ops import iterator_ops  # the class has no public name

Context = Callable[[], contextlib.AbstractContextManager]


class GuardedDataset(tf.data.Dataset):
    """The same elements as another dataset, each of them fetched within a context.

    A function that is compiled fetches elements without Python, hence without the context.

    Args:
      dataset: the other dataset.
      context: makes the context in which an element is fetched.
    """

    def __init__(self, dataset: tf.data.Dataset, context: Context):
        self._dataset = dataset
        self._context = context
        super().__init__(dataset._variant_tensor)

    @property
    def element_spec(self):
        """Shapes and types of an element."""
        return self._dataset.element_spec

    def _inputs(self) -> list[tf.data.Dataset]:
        return [self._dataset]

    def __iter__(self) -> tf.data.Iterator:
        return _GuardedIterator(self, self._context)


class _GuardedIterator(iterator_ops.OwnedIterator):
    def __init__(self, dataset: tf.data.Dataset, context: Context):
        super().__init__(dataset)
        self._context = context

    def __next__(self):
        with self._context():
            return super().__next__()
