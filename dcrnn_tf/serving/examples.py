"""Rows as serialized `tf.Example`s."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf


def serialize(row: Mapping[str, np.ndarray]) -> bytes:
    """One row of inputs as a serialized `tf.Example`, as `serve_examples` takes it.

    Args:
      row: `{input: one value, or the values of a list}`.
    """
    features = {}
    for name, values in row.items():
        values = np.ravel(values)
        if not values.size:  # its type is not to be trusted: NumPy makes floats of an empty list
            continue
        if values.dtype.kind in "OU":
            kind = {"bytes_list": tf.train.BytesList(value=[text.encode() for text in values])}
        elif values.dtype.kind == "i":
            kind = {"int64_list": tf.train.Int64List(value=values)}
        else:
            kind = {"float_list": tf.train.FloatList(value=values)}
        features[name] = tf.train.Feature(**kind)
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)
