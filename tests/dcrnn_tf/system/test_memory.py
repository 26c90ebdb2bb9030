from dcrnn_tf.system import memory


def test_a_limit_of_the_container_counts(tmp_path, monkeypatch):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "_LIMITS", (str(limit),))
    machine = memory.available()
    assert 2**28 < machine < 2**50
    limit.write_text("max\n")
    assert memory.available() == machine
    limit.write_text(f"{2**60}\n")  # what an older kernel says where there is none
    assert memory.available() == machine
    limit.write_text(f"{2**27}\n")
    assert memory.available() == 2**27
    assert memory.in_gib(2**27) == "0.1 GiB"
