import pathlib
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import export_models, machine, requests, serving, serving_report, windows, workload
from dcrnn_tf.system import command_line
from dcrnn_tf.system.errors import UserError
from tests.markdown import unpadded

SIZES = [40] * workload.FIELDS


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("serving")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workload, "ROWS", 300)
        workload.make(folder / "W", sum(SIZES))
    export_models.write(folder / "W", "dcrnn", serving.USER_FIELDS, folder / "exports")
    return folder / "exports"


def answers(folder, signature, request):
    import tensorflow as tf

    function = tf.saved_model.load(str(folder)).signatures[signature]
    return [
        values.numpy()
        for _, values in sorted(function(**{k: tf.constant(v) for k, v in request.items()}).items())
    ]


def test_all_forms_of_a_model_answer_alike(exports):
    names = [f"field_{i}" for i in range(workload.FIELDS)]

    def request(ids, once):
        made = requests.load(exports / ids, 50, serving.USER_FIELDS, once)
        return requests.named(made, names)[1]

    raw, encoded = request("raw_ids.npy", 0), request("encoded_ids.npy", 0)
    ranked = request("raw_ids.npy", serving.USER_FIELDS)
    assert ranked["field_12"].shape == (1,)
    assert ranked["field_13"].shape == (50,)
    expected = answers(exports / "dcrnn_encoded", "serving_default", encoded)
    assert len(np.unique(expected[0])) > 10
    np.testing.assert_allclose(
        answers(exports / "dcrnn" / "1", "serving_default", raw), expected, rtol=1e-5
    )
    np.testing.assert_allclose(
        answers(exports / "dcrnn" / "1", "rank", ranked), expected, rtol=1e-5
    )


@pytest.mark.slow
def test_a_saved_model_is_loaded_called_and_timed_in_a_process_of_its_own(exports, tmp_path):
    plan = windows.Plan(tmp_path, None, rounds=2, seconds=0.1)
    group = serving.groups(["dcrnn"], False, exports)[1]
    (contender,) = (contender for contender in group if contender.label == "dcrnn rank 100")
    (found,) = windows.measure([[contender]], plan)
    assert found["calls"] >= 2
    assert 0 < found["call_seconds"]["p50"] <= found["call_seconds"]["p99"]
    facts = found["facts"]
    assert 10**7 < facts["bytes_before"] < facts["bytes_after"] <= found["peak_bytes"]
    assert facts["load_seconds"] > 0


def test_raw_ids_are_those_of_the_rows():
    vocabularies = export_models.raw_vocabularies([5, 4])
    assert [len(ids) for ids in vocabularies] == [3, 2]
    rows = np.array([[0, 1], [2, 3], [4, 2]])
    (a, b, c), (d, e) = vocabularies
    np.testing.assert_array_equal(
        export_models.raw_ids(rows, vocabularies), [[-1, -2], [a, e], [c, d]]
    )
    assert len({-1, -2, a, b, c}) == 5


def test_requests_are_rows_in_turn_with_one_user_each(tmp_path):
    np.save(tmp_path / "ids.npy", np.arange(12).reshape(6, 2))
    alike = requests.load(tmp_path / "ids.npy", 3, user_fields=1)
    np.testing.assert_array_equal(alike[1], [[6, 6, 6], [7, 9, 11]])
    user, candidates = requests.load(tmp_path / "ids.npy", 3, user_fields=1, once=1)[1]
    assert user.tolist() == [6]
    assert candidates.tolist() == [7, 9, 11]
    (named,) = requests.named([[[1]] * 11], [f"f{i}" for i in (10, *range(10))])
    assert list(named) == [f"f{i}" for i in range(11)]


def test_windows_are_put_together(tmp_path):
    program = """if True:
        import sys
        print('noise of a library')
        print('{"ready": true, "load_seconds": 2.0}', flush=True)
        for number, line in enumerate(sys.stdin):
            rate, calls = [(30, [0.1] * 99), (10, [0.5]), (20, [0.2])][number]
            print('{"rows_per_second": %d, "call_seconds": %s, "peak_bytes": %d}'
                  % (rate, calls, number), flush=True)
    """
    plan = windows.Plan(tmp_path, None, rounds=3, seconds=1.0)
    (found,) = windows.measure([[windows.Contender("a", "W", ("-c", program))]], plan)
    assert found["rows_per_second"] == 20
    assert found["windows"] == [30, 10, 20]
    assert found["calls"] == 101
    assert found["call_seconds"] == pytest.approx({"p50": 0.1, "p99": 0.2})
    assert found["peak_bytes"] == 2
    assert found["facts"]["load_seconds"] == 2.0


def test_a_contender_that_fails_is_named_with_its_log(tmp_path):
    plan = windows.Plan(tmp_path, None, rounds=1, seconds=1.0)
    broken = windows.Contender("the broken one", "W", ("-c", "raise SystemExit('why it failed')"))
    for fails in (lambda: windows.measure([[broken]], plan), lambda: windows.once(broken, plan)):
        with pytest.raises(command_line.UserError, match="the broken one failed; see ") as caught:
            fails()
        log = pathlib.Path(str(caught.value).split("; see ")[1])
        assert "why it failed" in log.read_text()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ('{"rows_per_second": 3', "the answer of a is not JSON"),
        (
            '{"rows_per_second": 3, "call_seconds": [1, "2"], "peak_bytes": 3}',
            r'\[1\] is "2", expected',
        ),
        ('{"rows_per_second": 3, "call_seconds": []}', "it lacks peak_bytes"),
        ("", "a failed; see "),
    ],
)
def test_an_answer_that_is_none_is_named_with_its_log(tmp_path, answer, message):
    program = f"print('{{}}', flush=True)\nprint(input() and {answer!r}, flush=True)"
    plan = windows.Plan(tmp_path, None, rounds=1, seconds=1.0)
    with pytest.raises(UserError, match=message) as caught:
        windows.measure([[windows.Contender("a", "W", ("-c", program))]], plan)
    assert "see " in str(caught.value)


def test_a_contender_that_is_gone_is_named(tmp_path):
    plan = windows.Plan(tmp_path, None, rounds=1, seconds=1.0)
    process = windows.Process(windows.Contender("a", "W", ("-c", "print('{}')")), plan)
    process._process.wait()
    with pytest.raises(UserError, match="a failed; see "):
        process.window(1.0)


def test_one_core_is_used():
    program = (
        "import os\nfrom benchmarks import contender\ncontender.use_one_core()\n"
        "print(len(os.sched_getaffinity(0)))"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "1\n"


def speed(label, rates, p99=0.02):
    facts = {"load_seconds": 2.0, "first_call_seconds": 1.0, "bytes_before": 2**29}
    return {
        "label": label,
        "windows": rates,
        "rows_per_second": sorted(rates)[len(rates) // 2],
        "calls": 1200,
        "call_seconds": {"p50": 0.005, "p99": p99},
        "peak_bytes": 2**31,
        "facts": facts | {"bytes_after": 2**30},
    }


def results():
    return {
        "machine": {
            "processor": "abacus",
            "cores": 2,
            "python": "3",
            "tensorflow": "2",
            "keras": "3",
        },
        "product_rate": 200e9,
        "one_core_product_rate": 100e9,
        "operations_per_row": machine.forward_operations_per_row(),
        "disk_bytes": {"mmoe": 350 * 2**20},
        "speeds": [
            speed("mmoe encoded 4096", [100_000.0, 90_000.0, 80_000.0]),
            speed("mmoe deepctr 4096", [60_000.0, 60_000.0, 80_000.0]),
            speed("dcrnn rank 500", [50_000.0, 40_000.0, 50_000.0], 0.0123),
        ],
    }


def test_ratios_are_of_medians_with_their_range_over_rounds():
    (found,) = serving_report.ratios(results()["speeds"])
    assert found["claim"] == "mmoe encoded 4096 / mmoe deepctr 4096"
    assert (found["ratio"], found["wanted"]) == (1.5, 1.5)
    assert (found["least"], found["most"]) == (1.0, pytest.approx(5 / 3))


def test_a_call_is_compared_with_its_products_alone():
    batch, _, candidates = serving_report.floors(results())
    # Eight experts 736 x 128 x 64, two gates 736 x 8 that mix eight vectors of 64, two towers
    # 64 x 64 x 32 x 1; two operations for each product of numbers.
    mmoe = 8 * (736 * 128 + 128 * 64) + 2 * (736 * 8 + 8 * 64 + 64 * 64 + 64 * 32 + 32)
    assert batch["floor"] == pytest.approx(4096 * 2 * mmoe / 200e9)
    assert batch["ratio"] == pytest.approx(4096 / 90_000 / batch["floor"])
    # Four networks of four gates of 64, which read 736 features and twice a state of 64.
    dcrnn = 4 * 4 * 64 * (736 + 2 * 64) + 2 * (128 * 64 + 64 * 32 + 32)
    assert candidates["floor"] == pytest.approx(500 * 2 * dcrnn / 100e9)


def test_the_limit_is_told_where_it_is_in_the_way():
    # 200e9 operations a second over 1,688,704 a row.
    assert "844,352 multiply-adds. At 200 GFLOP/s that is 118,434 rows/s" in (
        serving_report.limit(results())
    )
    assert "1.5 times DeepCTR's 60,000 is 90,000, below that" in serving_report.limit(results())
    fast = results() | {"speeds": [speed("mmoe deepctr 4096", [80_000.0])]}
    assert "1.5 times DeepCTR's 80,000 is 120,000, above that" in serving_report.limit(fast)
    assert serving_report.limit(results() | {"speeds": []}) is None


def test_the_tables(tmp_path):
    serving_report.write(results(), tmp_path)
    text = unpadded((tmp_path / "serving.md").read_text())
    assert "| mmoe encoded | 90,000 | 80,000 to 100,000 |" in text
    assert "| dcrnn rank | 500 | 5.00 ms | 12.30 ms | 1,200 | 10 ms |" in text
    assert "| mmoe encoded | 2.0 s | 1.0 s | 0.50 GiB | 1.00 GiB | 2.00 GiB |" in text
