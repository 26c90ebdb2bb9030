"""The profile of a training step: least times of a trace, by kind of operation."""

import pytest
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from benchmarks import workload
from benchmarks.step_profile import __main__ as step_profile
from dcrnn_tf.system.errors import UserError


def test_the_least_time_of_each_operation_counts_by_kind(tmp_path):
    space = xplane_pb2.XSpace()
    plane = space.planes.add()
    line = plane.lines.add()
    events = (
        ("tower/MatMul:MatMul", 5),
        ("tower/MatMul:MatMul", 3),  # the same one in a later step
        ("experts/MatMul:_FusedMatMul#id=4#", 2),
        ("gates/Softmax:Softmax", 1),
        ("a thread that waits", 100),
    )
    for number, (name, milliseconds) in enumerate(events):
        plane.event_metadata[number].name = name
        line.events.add(metadata_id=number, duration_ps=milliseconds * 10**9)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "host.xplane.pb").write_bytes(space.SerializeToString())
    times = step_profile.least_times(tmp_path)
    assert times == {"MatMul": 3.0, "_FusedMatMul": 2.0, "Softmax": 1.0}
    cells = step_profile.table({"mmoe": times, "fm": {"Transpose": 0.5}}).cells
    assert [tuple(row) for row in cells] == [
        ("products", "5.0", "0.0"),
        ("copies", "0.0", "0.5"),
        ("other elementwise", "1.0", "0.0"),
        ("all", "6.0", "0.5"),
    ]


def test_no_trace_is_told(tmp_path):
    with pytest.raises(UserError, match="wrote no trace"):
        step_profile.least_times(tmp_path)


@pytest.mark.slow
def test_a_model_is_profiled(tmp_path):
    folder = workload.make(tmp_path / "W", 23 * 100, rows=3000)
    prepared = str(folder / "prepared")
    settings = step_profile.Settings(prepared, ("mmoe",), steps=2)
    times = step_profile.profile(settings, "mmoe")
    by_kind = {step_profile.kind_of(operation) for operation in times}
    assert {"products", "embedding rows", "copies", step_profile.REST} <= by_kind
    assert all(milliseconds > 0 for milliseconds in times.values())
