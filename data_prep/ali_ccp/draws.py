"""Draws of the simulation: hashes of numbers, and distributions made of uniform numbers."""

import math

import numpy as np

GROUPS = 4  # of ids: an id's group is its number modulo this
_HEAD_SHARE = 0.02  # of all ids are frequent ones
_HEAD_LEAST = 8  # frequent ids in each group, at least
_HEAD_SKEW = 2.0


def grouped_numbers(uniform: np.ndarray, ids: int, group: np.ndarray, tail: float) -> np.ndarray:
    """Draws ids of the given groups from uniform numbers.

    The share `tail` of them is any of the `ids`, the rest a frequent one, small numbers more often.
    """
    of_group = ids // GROUPS
    head = min(of_group, max(_HEAD_LEAST, round(of_group * _HEAD_SHARE)))
    in_head = np.maximum((uniform - tail) / (1 - tail), 0.0)
    any_rank = uniform / max(tail, 1e-9) * of_group
    rank = np.where(uniform < tail, any_rank, head * in_head**_HEAD_SKEW)
    return GROUPS * rank.astype(np.int64) + group


def geometric(uniform: np.ndarray, mean: float) -> np.ndarray:
    """Geometrically distributed integers from 0 with the given mean."""
    return np.floor(np.log1p(-uniform) / math.log(mean / (1 + mean))).astype(np.int64)


def hashed_bits(numbers: np.ndarray, salt: int) -> np.ndarray:
    """A bijection of 64-bit integers that looks random (the finaliser of SplitMix64)."""
    with np.errstate(over="ignore"):
        bits = numbers.astype(np.uint64) + np.uint64((salt + 1) * 0x9E3779B97F4A7C15 % 2**64)
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
