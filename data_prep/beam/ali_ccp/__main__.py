r"""Prepares Ali-CCP on Apache Beam: the dataset of `data_prep.ali_ccp`, made by many workers.

  python -m data_prep.beam.ali_ccp --raw_dir=RAW --out_dir=PREPARED \
      --beam_options="--direct_num_workers=2 --direct_running_mode=multi_processing"

Flags and output are those of `data_prep.ali_ccp`, but for the order of the rows and the number of
shards. Workers must see both folders under the same paths.
"""

from data_prep.ali_ccp.__main__ import Files, with_fields
from data_prep.ali_ccp.settings import Settings
from data_prep.beam import program
from dcrnn_tf.system import command_line


def main(files: Files, settings: Settings, beam: program.BeamSettings) -> None:
    """Runs the program."""
    program.start()
    from data_prep.ali_ccp.preparation import summary
    from data_prep.beam.ali_ccp.preparation import prepare
    from data_prep.beam.stage import pipeline_options

    settings = with_fields(settings, files.fields)
    options = pipeline_options(beam.beam_options)
    schema = prepare(files.raw_dir, files.out_dir, settings, options)
    print(summary(schema))


if __name__ == "__main__":
    command_line.run(main, Files, Settings, program.BeamSettings)
