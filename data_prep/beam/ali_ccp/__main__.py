r"""Prepares Ali-CCP on Apache Beam: the dataset of `data_prep.ali_ccp`, made by many workers.

  python -m data_prep.beam.ali_ccp --raw_dir=RAW --out_dir=PREPARED \
      --beam_options="--direct_num_workers=2 --direct_running_mode=multi_processing"

Flags and output are those of `data_prep.ali_ccp`, but for the order of the rows and the number of
shards. Workers must see both folders under the same paths.
"""

from absl import flags

from data_prep.ali_ccp.__main__ import define_flags, settings_of_flags
from data_prep.ali_ccp.preparation import summary
from data_prep.beam import program
from dcrnn_tf.system import command_line

FLAGS = flags.FLAGS


def main() -> None:
    """Runs the program."""
    program.start()
    from data_prep.beam.ali_ccp.preparation import prepare
    from data_prep.beam.stage import pipeline_options

    settings = settings_of_flags()
    options = pipeline_options(FLAGS.beam_options)
    schema = prepare(FLAGS.raw_dir, FLAGS.out_dir, settings, options)
    print(summary(schema))


if __name__ == "__main__":
    define_flags()
    program.define_beam_options()
    command_line.run(main)
