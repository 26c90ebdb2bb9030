r"""Prepares an own log on Apache Beam: the dataset of `data_prep.own_log`, made by many workers.

  python -m data_prep.beam.own_log --declaration=shop.yaml --raw_dir=logs --out_dir=data/shop \
      --beam_options="--direct_num_workers=2 --direct_running_mode=multi_processing"

Flags and output are those of `data_prep.own_log`, but for the order of the rows and the number of
shards. A file is read by one worker, so there should be more files than workers; all later work is
spread over chunks of files. Workers must see the files and the output under the same paths.
"""

import pathlib

from data_prep.beam import program
from data_prep.own_log.__main__ import Settings
from data_prep.simulation.folder import read_simulation
from dcrnn_tf.system import command_line


def main(settings: Settings, beam: program.BeamSettings) -> None:
    """Runs the program."""
    program.start()
    from data_prep.beam.own_log.preparation import prepare
    from data_prep.beam.stage import pipeline_options  # both need Beam

    settings.check()
    if settings.dry_run is not None:
        raise command_line.UsageError(
            "--dry_run reads few rows and needs no workers; use data_prep.own_log for it"
        )
    declaration = settings.declared()
    schema = prepare(
        declaration,
        settings.raw_dir,
        settings.folder(),
        settings.seed,
        settings.max_bad_rows,
        read_simulation(pathlib.Path(settings.raw_dir)),
        pipeline_options(beam.beam_options),
        settings.extended(declaration),
    )
    settings.tell(schema)


if __name__ == "__main__":
    command_line.run(main, Settings, program.BeamSettings)
