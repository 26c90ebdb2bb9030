"""Scoring that is killed at once, without a chance to write anything."""

import signal
import subprocess
import sys
import time

import polars as pl
import pytest

from experiments.predict import parts
from tests.scored_shop import raw_rows

ROWS = 3 * parts.PART_ROWS


@pytest.mark.slow
def test_killed_and_started_again_it_writes_the_same_file(shop, tmp_path):
    rows = raw_rows().drop("click", "buy", "colour", "spent", "day")
    rows = rows.with_columns(seen=pl.lit(["i1", "i2"]))
    pl.concat([rows] * (ROWS // rows.height)).write_parquet(tmp_path / "new.parquet")

    def command(out) -> list[str]:
        return [
            *(sys.executable, "-m", "experiments.predict", f"--run_dir={shop / 'run'}"),
            *("--files=new.parquet", f"--raw_dir={tmp_path}", f"--declared_dir={shop}"),
            *("--keys=order,price", f"--out={out}", f"--summary={out}.json"),
        ]

    whole, out = tmp_path / "whole.parquet", tmp_path / "scores.parquet"
    subprocess.run(command(whole), check=True, capture_output=True)
    process = subprocess.Popen(command(out), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while not list(tmp_path.glob("scores.parquet.work/part-*.parquet")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not out.exists()
    done = subprocess.run(command(out), check=True, capture_output=True, text=True)
    assert "left behind by scoring that was interrupted" in done.stdout
    assert out.read_bytes() == whole.read_bytes()
    summaries = [tmp_path / f"{path.name}.json" for path in (whole, out)]
    assert summaries[0].read_text("utf-8") == summaries[1].read_text("utf-8")
