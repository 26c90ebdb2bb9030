"""A stage of a preparation on Beam."""

import tempfile

import pytest

pytest.importorskip("apache_beam")

import apache_beam as beam

from data_prep.beam.stage import pipeline_options, run_stage


@pytest.mark.parametrize(
    "options",
    [
        "",
        "--runner=DirectRunner",
        pytest.param(
            "--direct_num_workers=2 --direct_running_mode=multi_processing",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_stage_leaves_no_temporary_file(tmp_path, monkeypatch, options):
    folder, temporary = tmp_path / "folder", tmp_path / "temporary"
    folder.mkdir()
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))  # of worker processes
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    def build(pipeline):
        return {"doubled": pipeline | beam.Create([1, 2, 3]) | beam.Map(lambda x: 2 * x)}

    results = run_stage(pipeline_options(options), folder, build)
    assert sorted(results["doubled"]) == [2, 4, 6]
    assert [*folder.iterdir(), *temporary.iterdir()] == []
    assert tempfile.gettempdir() == str(temporary)
