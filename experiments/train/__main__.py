"""Trains a model on a prepared dataset and leaves a run folder that explains itself.

Example:
  python -m experiments.train --data_dir=data/ali_ccp --run_dir=runs/dcrnn --model=dcrnn \\
      --set=cell=lstm --set=bidirectional=true --set=adaptation=true

`--config=runs/dcrnn/config.json` trains as another run did; flags on the command line win.

The same command again goes on from the last checkpoint, or says that the run is finished.
"""

from dcrnn_tf.system import command_line
from dcrnn_tf.training.settings import TrainingSettings
from experiments.train import Settings, flags_of_run, main

if __name__ == "__main__":
    command_line.run(main, Settings, TrainingSettings, translate=flags_of_run)
