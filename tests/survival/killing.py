"""Kills a program again and again, and holds what it leaves against a run that was never killed."""

import collections
import dataclasses
import itertools
import json
import pathlib
import random

from tests.survival.programs import Ended, ForkServer
from tests.survival.stages import STAGES, Stage, files_of, variables

KILLED = -9
# Ends of names of what is to be put in place later, or is being removed.
UNFINISHED = (".partial", ".work", "partial", "removed")


@dataclasses.dataclass(frozen=True)
class Moment:
    """When to kill: before an operation on files, or so many seconds after the start."""

    after: float | None = None
    operation: int | None = None


@dataclasses.dataclass(frozen=True)
class Whole:
    """A run that was never killed: what it left, how long it took, how many operations."""

    folder: pathlib.Path
    outcome: object
    ended: Ended


def make_inputs(server: ForkServer, stage: Stage, inputs: pathlib.Path) -> None:
    """Makes what a stage reads, as far as it is not there."""
    for name in stage.needs:
        needed = STAGES[name]
        if not (inputs / name).exists():
            make_inputs(server, needed, inputs)
            (inputs / name).mkdir(parents=True)
            ended = server.run(needed.command(inputs, inputs / name))
            assert ended.code == 0, ended.said


def moments(whole: Ended, count: int, source: random.Random) -> list[Moment]:
    """Moments all over a run, in random order, half of each kind where there are operations."""
    by_operation = min(count // 2, whole.operations)
    chosen = [
        Moment(operation=1 + int(whole.operations * (number + source.random()) / by_operation))
        for number in range(by_operation)
    ]
    by_time = count - by_operation
    chosen += [
        Moment(after=whole.seconds * (number + source.random()) / by_time)
        for number in range(by_time)
    ]
    source.shuffle(chosen)
    return chosen


def kill_again_and_again(
    server: ForkServer,
    stage: Stage,
    whole: Whole,
    inputs: pathlib.Path,
    folder: pathlib.Path,
    count: int,
    source: random.Random,
) -> collections.Counter[str]:
    """Kills a stage `count` times, in chains of a few, each of which is left to end at last.

    Args:
      server: that starts it.
      stage: what is killed.
      whole: the same, never killed.
      inputs: folder of what it reads.
      folder: to work in, a sub-folder a chain.
      count: kills wanted.
      source: of moments and of the length of chains.

    Returns:
      How often it was killed by `operation` and at a random `time`, and how often it `ended`.
    """
    waiting = collections.deque(moments(whole.ended, count, source))
    counts: collections.Counter[str] = collections.Counter()
    for number in itertools.count():
        if not waiting:
            return counts
        place = folder / f"{stage.name}_{number}"
        place.mkdir()
        command = stage.command(inputs, place)
        done = None
        told = f"{stage.name}, killed:"
        for _ in range(source.randint(1, stage.chain)):
            if not waiting or done is not None:
                break
            moment = waiting.popleft()
            left = leftovers(place)
            ended = server.run(command, moment.after, moment.operation)
            if ended.code != KILLED:
                # What it found done spared it the moment; it may come first of another chain.
                waiting.append(dataclasses.replace(moment, after=earlier(moment.after)))
                done = ended
            else:
                counts["operation" if moment.operation else "time"] += 1
                told += f" {moment}"
                check_what_is_there(place, whole, told)
                assert left <= (leftovers(place) | named(left, ended.said)), told
        left = leftovers(place)
        if done is None:
            done = server.run(command)
        else:
            left = set()
        finished_before = done.code == 1 and "exists already" in done.said
        assert done.code == 0 or finished_before, f"{told}\n{done.said}"
        assert left == named(left, done.said), f"{told}\nnot said: {left}\n{done.said}"
        assert not leftovers(place), f"{told}\nleft behind: {leftovers(place)}"
        assert_same(stage.outcome(place, done.said), whole.outcome, told)
        counts["ended"] += 1


def earlier(after: float | None) -> float | None:
    """A little before a moment that a run did not reach."""
    return None if after is None else after * 0.8


def leftovers(folder: pathlib.Path) -> set[str]:
    """Files and folders that are to be put in place later, or to be removed."""
    found = (path for path in folder.rglob("*") if path.name.endswith(UNFINISHED))
    return {path.relative_to(folder).as_posix() for path in found}


def named(paths: set[str], said: str) -> set[str]:
    """Those of the leftovers that a program has told of; those inside of them and of runs go
    without saying."""
    return {path for path in paths if path in said or "/" in path or path.endswith(".json.partial")}


def check_what_is_there(folder: pathlib.Path, whole: Whole, told: str) -> None:
    """Asserts that what lies under its final name is whole."""
    for path in [path for path in folder.rglob("*") if path.exists()]:
        if any(part.endswith(UNFINISHED) for part in path.relative_to(folder).parts):
            continue
        if path in (folder / "out", *folder.glob("data/*")):
            assert_same(files_of(path), files_of(_same(path, folder, whole)), f"{told}: {path}")
        elif path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
            if path.name == "result.json" and path.parent.parent.name != "trials":
                assert (path.parent / "report.html").exists(), f"{told}: {path} without a report"
        elif path.suffix == ".html":
            assert path.read_text(encoding="utf-8").rstrip().endswith("</html>"), f"{told}: {path}"
        elif path.suffix in (".csv", ".md") and path.parent.name == "table":
            lines = [
                len(p.read_text("utf-8").splitlines()) for p in (path, _same(path, folder, whole))
            ]
            assert lines[0] == lines[1], f"{told}: {path}"
        elif path.parent.name == "checkpoints" and path.name.startswith("step_"):
            newest = max(_same(path.parent, folder, whole).glob("step_*"), default=path)
            assert variables(path).keys() == variables(newest).keys(), f"{told}: {path}"


def _same(path: pathlib.Path, folder: pathlib.Path, whole: Whole) -> pathlib.Path:
    return whole.folder / path.relative_to(folder)


def assert_same(found: object, wanted: object, told: str) -> None:
    """Compares, and names what differs instead of showing all of it."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        assert found.keys() == wanted.keys(), f"{told}\n{sorted(found.keys() ^ wanted.keys())}"
        for name in found:
            assert_same(found[name], wanted[name], f"{told}\n{name}")
    else:
        assert found == wanted, told
