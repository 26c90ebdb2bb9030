"""How the fuzz tests run: a few cases by default, thousands among the slow tests.

A case is valid input and a list of mutations. The same cases come on every run, and none is kept
on disk; the environment variable FUZZ_SEED draws others.
"""

import collections
import copy
import dataclasses
import os
import random
import re
from collections.abc import Callable, Collection, Sequence

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from dcrnn_tf.dataset.schema import DatasetError
from tests import hard_names

SEEDS = st.integers(0, 2**32 - 1)

# What has no place in a cell, and what nearly has.
PAYLOADS = (
    *(b"", b" ", b"\t", b"\r", b"\n", b"\r\n", b"\n\n", b"\0", b"\x01", b"\x02", b"\x03", b"\x1c"),
    *(
        b",",
        b";",
        b"|",
        b'"',
        b'""',
        b"'",
        b"\\",
        b"\xef\xbb\xbf",
        b"\xff",
        b"\xc3",
        b"\xed\xa0\x80",
    ),
    *("é".encode(), "１".encode(), "\u3000".encode(), "\x85".encode(), "😀".encode()),
    *(
        b"0",
        b"1",
        b"2",
        b"-1",
        b"+1",
        b"01",
        b"1.0",
        b"0.5",
        b"1.",
        b".5",
        b"1_0",
        b"0x1",
        b"1e400",
    ),
    *(
        b"-1e400",
        b"1e39",
        b"1e-400",
        b"nan",
        b"NaN",
        b"inf",
        b"-inf",
        b"Infinity",
        b"None",
        b"true",
    ),
    *(b"9" * 16, b"9" * 17, b"9" * 40, b"9223372036854775807", b"9223372036854775808", b"7;" * 300),
)
ACTIONS = ("insert", "replace", "cell", "delete", "cut", "line again", "drop line")


@dataclasses.dataclass(frozen=True)
class Mutation:
    """One change to a text: what is done, where (modulo the text's length), and with what."""

    action: str
    place: int
    payload: bytes


MUTATIONS = st.lists(
    st.builds(
        Mutation,
        st.sampled_from(ACTIONS),
        st.integers(0, 2**20),
        st.one_of(st.sampled_from(PAYLOADS), st.binary(max_size=6)),
    ),
    max_size=8,
)


# Values that have no place where another kind of value is meant.
ODD = st.one_of(
    st.sampled_from([None, True, -1, 0, 1.0, 10**30, float("nan"), "", "x", "../x", "/x", "a\0"]),
    st.sampled_from([*hard_names.NAMES, "\u3000", "a\nb", "..", "__", "_1", "user_row"]),
    st.sampled_from([-0.5, 2**62, 10**400, 1e308, float("inf"), -float("inf"), 1e-320, False]),
    st.sampled_from([[], {}, [[]], {"": None}, "🙂", "\ud800", "9" * 30, ["train"], [{}], "user"]),
)
JSON_CHANGES = st.lists(
    st.tuples(SEEDS, ODD, st.sampled_from(["replace", "replace", "remove", "add"])), max_size=2
)


def mutate(text: bytes, mutations: Sequence[Mutation], separators: bytes) -> bytes:
    """The text after all mutations; a cell ends at one of the `separators` or a line's end."""
    border = re.compile(b"[" + re.escape(separators + b"\r\n") + b"]")
    for mutation in mutations:
        place = mutation.place % (len(text) + 1)
        before, after = text[:place], text[place:]
        if mutation.action == "insert":
            text = before + mutation.payload + after
        elif mutation.action == "replace":
            text = before + mutation.payload + after[len(mutation.payload) or 1 :]
        elif mutation.action == "cell":
            start = max((match.end() for match in border.finditer(before)), default=0)
            end = border.search(after)
            text = text[:start] + mutation.payload + (after[end.start() :] if end else b"")
        elif mutation.action == "delete":
            text = before + after[1 + mutation.place % 3 :]
        elif mutation.action == "cut":
            text = before if mutation.place % 8 == 0 else text
        else:
            lines = text.split(b"\n")
            number = mutation.place % len(lines)
            again = lines[number : number + 1] * 2 if mutation.action == "line again" else []
            text = b"\n".join(lines[:number] + again + lines[number + 1 :])
    return text


def mutate_rows(text: bytes, mutations: Sequence[Mutation], separators: bytes, seed: int) -> bytes:
    """The same, in most cases less the first line: a damaged header is the end of the matter."""
    if seed % 8 == 0:
        return mutate(text, mutations, separators)
    header, line_feed, rows = text.partition(b"\n")
    return header + line_feed + mutate(rows, mutations, separators)


def json_paths(content, path=()):
    """The paths of all values within a JSON content."""
    yield path
    if isinstance(content, dict | list):
        keys = content if isinstance(content, dict) else range(len(content))
        for key in list(keys):
            yield from json_paths(content[key], (*path, key))


def changed(content, seed, odd, action):
    """The content with one value replaced, removed, or one added beside it."""
    content = copy.deepcopy(content)
    paths = [path for path in json_paths(content) if path] if isinstance(content, dict) else []
    if not paths:
        return content
    *parents, key = random.Random(seed).choice(paths)
    holder = content
    for parent in parents:
        holder = holder[parent]
    if action == "replace":
        holder[key] = odd
    elif action == "remove":
        del holder[key]
    elif isinstance(holder, dict):
        holder[str(odd)] = odd
    else:
        holder.append(odd)
    return content


MANY = 1000  # cases, among which each outcome is sure to be; what is drawn changes with the code


def cases(quick: int, slow: int):
    """Gives a test the argument `examples`: `quick` cases, and `slow` ones where asked for."""
    return pytest.mark.parametrize(
        "examples",
        [
            pytest.param(quick, id=f"{quick}_cases"),
            pytest.param(slow, id=f"{slow}_cases", marks=pytest.mark.slow),
        ],
    )


def fuzz(
    check: Callable[..., str],
    examples: int,
    outcomes: Collection[str],
    **strategies: st.SearchStrategy,
) -> None:
    """Runs `check` on so many cases.

    It says how each ended; of many cases, some must end in each of the `outcomes`.
    """
    seen: collections.Counter[str] = collections.Counter()
    other = os.environ.get("FUZZ_SEED")

    @seed(other)
    @settings(
        max_examples=examples,
        derandomize=other is None,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(**strategies)
    def case(**arguments):
        seen[check(**arguments)] += 1

    case()
    assert set(seen) == set(outcomes) if examples >= MANY else set(seen) <= set(outcomes), seen
    assert seen.total() >= examples
    print(f"{seen.total()} cases: {dict(seen)}")


def result(read: Callable[[], object]) -> tuple:
    """What `read` returns and None, or None and the sentence in which it refuses."""
    try:
        return read(), None
    except DatasetError as error:
        return None, str(error)
