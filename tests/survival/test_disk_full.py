"""A full disk is one sentence; what was there stays, and the same command goes on later."""

import pytest

from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import load_schema
from dcrnn_tf.system.whole_file import whole_file
from tests.conftest import write_dataset
from tests.survival.killing import (
    Whole,
    assert_same,
    check_what_is_there,
    leftovers,
    make_inputs,
)
from tests.survival.programs import ForkServer
from tests.survival.small_disk import PAGE, small_disk
from tests.survival.stages import STAGES

LARGE = 1 << 30
SHARES = (0.02, 0.3, 0.6, 0.9)  # of the room that a stage takes


def refusal(folder, rows):
    """What writing a dataset is refused with, if it is."""
    try:
        write_dataset(folder, rows)
    except Exception as error:  # TensorFlow and Polars have their own
        return error
    return None


def test_a_dataset_on_a_disk_of_any_size_is_complete_or_absent(tmp_path):
    rows = {"train": 3000, "test": 700}
    whole = load_schema(write_dataset(tmp_path / "whole", rows))
    refused = 0
    for pages in range(4, 400, 3):
        with small_disk(tmp_path / "disk", pages * PAGE) as disk:
            out = disk.folder / "out"
            error = refusal(out, rows)
            if error is None:
                PreparedDataset(out).verify()
                assert load_schema(out).fingerprint == whole.fingerprint
                break
            assert "No space left on device" in str(error)
            assert str(out) in str(error)
            assert list(disk.folder.iterdir()) == []
            refused += 1
    assert error is None
    assert refused > 10


def test_an_earlier_file_stays_where_there_is_no_room_for_a_later_one(tmp_path):
    with small_disk(tmp_path / "disk", 8 * PAGE) as disk:
        path = disk.folder / "table.csv"
        with whole_file(path) as file:
            file.write("earlier")
        with (
            pytest.raises(OSError, match="No space left on device") as refusal,
            whole_file(path) as file,
        ):
            file.write("x" * 20 * PAGE)
        assert refusal.value.filename == str(path)
        assert [one.name for one in disk.folder.iterdir()] == ["table.csv"]
        assert path.read_text() == "earlier"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("full")


@pytest.fixture(scope="module")
def server(folder):
    with ForkServer(folder) as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in STAGES if name != "evaluate"])
def test_where_the_disk_is_full_the_same_command_goes_on_later(
    name, server, folder, record_property
):
    stage = STAGES[name]
    inputs = folder / "inputs"
    make_inputs(server, stage, inputs)
    alone = folder / f"{name}_alone"
    with small_disk(alone, LARGE) as disk, disk.watched() as most:
        ended = server.run(stage.command(inputs, alone))
        assert ended.code == 0, ended.said
        whole = Whole(alone, stage.outcome(alone, ended.said), ended)
        refused = []
        for number, share in enumerate(SHARES):
            if fill(
                stage, server, inputs, folder / f"{name}_{number}", int(share * most[0]), whole
            ):
                refused.append(share)
    assert len(refused) >= len(SHARES) - 1, f"only {refused} of the room that it takes are too few"
    sizes = ", ".join(f"{share:.0%}" for share in refused)
    record_property(
        "survived", f"{name}: the disk was full at {sizes} of {most[0] / 2**20:.1f} MiB"
    )


def fill(stage, server, inputs, place, size, whole):
    """Lets a stage fill a disk, then gives it a larger one; whether the first was too small."""
    with small_disk(place, size) as disk:
        command = stage.command(inputs, place)
        told = f"{stage.name} on {size / 2**20:.2f} MiB"
        ended = server.run(command)
        if ended.code != 0:
            assert ended.code == 1, f"{told}: {ended}"
            lines = [line for line in ended.said.splitlines() if line.startswith("Error: ")]
            assert len(lines) == 1, f"{told}\n{ended.said}"
            print(f"{told}: {lines[0]}")
            assert "Traceback" not in ended.said, f"{told}\n{ended.said}"
            assert "No space left" in lines[0] or "MiB free" in lines[0], told
            assert "MiB" in lines[0], told
            check_what_is_there(place, whole, told)
            assert not [path for path in leftovers(place) if path == "out.partial"], told
            disk.resize(LARGE)
            again = server.run(command)
            assert again.code == 0, f"{told}, again\n{again.said}"
            outcome = stage.outcome(place, again.said)
        else:
            outcome = stage.outcome(place, ended.said)
        assert_same(outcome, whole.outcome, told)
        assert not leftovers(place), f"{told}: {leftovers(place)}"
    return ended.code != 0
