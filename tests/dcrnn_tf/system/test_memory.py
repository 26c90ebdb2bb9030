import pytest

from dcrnn_tf.system import memory


@pytest.mark.parametrize(
    ("group", "limit"),
    [
        ("0::/", "memory.max"),
        ("0::/jobs/mine", "jobs/mine/memory.max"),
        ("0::/jobs/mine", "jobs/memory.max"),
        ("0::/not/seen/here", "memory.max"),
        ("4:memory:/jobs/mine", "memory/jobs/mine/memory.limit_in_bytes"),
        ("4:cpu,memory:/jobs/mine", "memory/memory.limit_in_bytes"),
        ("", "memory/memory.limit_in_bytes"),
    ],
)
def test_a_limit_of_the_container_counts(tmp_path, monkeypatch, group, limit):
    groups, limit = tmp_path / "groups", tmp_path / "limits" / limit
    groups.write_text(f"9:cpu:/other\n{group}\n" if group else "")
    limit.parent.mkdir(parents=True)
    monkeypatch.setattr(memory, "_GROUPS", str(groups))
    monkeypatch.setattr(memory, "_LIMITS", str(tmp_path / "limits"))
    machine = memory.available()
    assert 2**28 < machine < 2**50
    limit.write_text("max\n")
    assert memory.available() == machine
    limit.write_text(f"{2**60}\n")  # what an older kernel says where there is none
    assert memory.available() == machine
    limit.write_text(f"{2**27}\n")
    assert memory.available() == 2**27
    assert memory.in_gib(2**27) == "0.1 GiB"
