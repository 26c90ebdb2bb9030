"""How this processor's products make bfloat16 numbers of their sums."""

import numpy as np
import tensorflow as tf


def products_are_cut_off() -> bool:
    """Whether digits that bfloat16 lacks are cut off, where most processors round to the nearest.

    A product rounded is off by up to one part in 256, one cut off by up to one in 128, always
    towards 0.
    """
    left = np.zeros((8, 64), np.float32)
    left[:, :2] = 1, 1.5 * 2**-8  # the sum lies nearer to 1 + 2^-7 than to 1
    result = tf.matmul(tf.cast(left, tf.bfloat16), tf.ones((64, 8), tf.bfloat16))
    return bool(np.all(tf.cast(result, tf.float32) == 1))
