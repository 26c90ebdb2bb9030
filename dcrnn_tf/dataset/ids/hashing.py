"""Embedding rows of ids without a vocabulary: a hash of each id's text.

The hash is SipHash-2-4, which TensorFlow computes to the same bits inside a graph, by
`tf.strings.to_hash_bucket_strong`.
"""

import numpy as np
import polars as pl

from dcrnn_tf.dataset.encodings import FIRST_ID_ROW, PADDING_ROW

KEY = (0, 0)  # of SipHash: whoever knows an id may know its row

_START = ("somepseu", "dorandom", "lygenera", "tedbytes")  # of the four words of its state


def hashes(texts: pl.Series) -> np.ndarray:
    """Returns the hash of each text's UTF-8, uint64 `(texts,)`.

    Args:
      texts: Texts without nulls.
    """
    ends = np.cumsum(texts.str.len_bytes().to_numpy(), dtype=np.int64)
    lengths = np.diff(ends, prepend=0)
    order = np.argsort(-(lengths // 8), kind="stable")  # those of most words first
    lengths, starts = lengths[order], (ends - lengths)[order]
    content = np.frombuffer("".join(texts.to_list()).encode() + bytes(8), np.uint8)
    words = np.ndarray(len(content) - 7, "<u8", content, strides=(1,))
    whole, rest = lengths // 8, (lengths % 8).astype(np.uint64)
    keys = [np.uint64(key) for key in KEY]
    state = [
        np.full(len(lengths), int.from_bytes(text.encode(), "big"), np.uint64) ^ keys[word % 2]
        for word, text in enumerate(_START)
    ]
    counts = np.searchsorted(-whole, -np.arange(whole.max(initial=0)), side="left")
    for word, count in enumerate(counts.tolist()):  # the texts that have such a word
        _absorb([v[:count] for v in state], words[starts[:count] + 8 * word])
    last = words[starts + 8 * whole] & ((np.uint64(1) << np.uint64(8) * rest) - np.uint64(1))
    _absorb(state, last | (lengths.astype(np.uint64) << np.uint64(56)))
    state[2] ^= np.uint64(255)
    for _ in range(4):
        _round(*state)
    found = np.empty(len(lengths), np.uint64)
    found[order] = state[0] ^ state[1] ^ state[2] ^ state[3]
    return found


def hashed_rows(ids: pl.Series, rows: int) -> np.ndarray:
    """Returns the embedding row of each id, int32 `(ids,)`; row 0 of a null.

    Args:
      ids: Ids, spelled as the ids of their values are.
      rows: Number of rows over which they are spread.
    """
    present = ids.is_not_null().to_numpy()
    found = np.full(len(ids), PADDING_ROW, np.int32)
    found[present] = hashes(ids.drop_nulls()) % np.uint64(rows) + np.uint64(FIRST_ID_ROW)
    return found


def _absorb(state: list[np.ndarray], word: np.ndarray) -> None:
    state[3] ^= word
    _round(*state)
    _round(*state)
    state[0] ^= word


def _round(v0: np.ndarray, v1: np.ndarray, v2: np.ndarray, v3: np.ndarray) -> None:
    v0 += v1
    v2 += v3
    _rotate(v1, 13)
    _rotate(v3, 16)
    v1 ^= v0
    v3 ^= v2
    _rotate(v0, 32)
    v2 += v1
    v0 += v3
    _rotate(v1, 17)
    _rotate(v3, 21)
    v1 ^= v2
    v3 ^= v0
    _rotate(v2, 32)


def _rotate(words: np.ndarray, bits: int) -> None:
    """Rotates words to the left, in place."""
    low = words >> np.uint64(64 - bits)
    words <<= np.uint64(bits)
    words |= low
