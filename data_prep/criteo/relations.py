r"""Program that makes Criteo-R and Criteo-UR: two tasks of known relation, on Criteo's features.

  python -m data_prep.criteo.relations --data_dir=data/criteo --out_dir=data/criteo_relations

OUT/criteo_r has the tasks base and related, OUT/criteo_ur base and unrelated. A small feed-forward
network is trained on the clicks of a prepared Criteo; its logit is the confidence c of a row. The
labels say where c, `related(c)` and `unrelated(c)` are above 0; the features stay as they are.
Beside the shards, `confidence_SPLIT.npy` holds each row's c, float32, in the dataset's order.

The functions are not linear, so that the range of c decides everything: for |c| below 1 both labels
are nearly the base label, for large |c| the exponential term of the one and the waves of the other
take over. DEPHN's authors print the correlations of c with both functions over their rows (0.9877
and 0.5288) and not the range. `--confidence_scale` multiplies c. `auto` looks at the first 131,072
training rows and at factors from 1/16 to 16: from the one at which c's correlation with
`unrelated(c)` is highest it goes up to where that has come down to theirs; where it never does, it
takes the factor that comes nearest.
"""

import dataclasses
import math

from data_prep.criteo.fields import AUTO
from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import required, setting


def _scale(given: str) -> float | str:
    if given == AUTO:
        return AUTO
    try:
        scale = float(given)
    except ValueError:
        scale = math.nan
    if not 0 < scale <= 1000:
        raise command_line.UsageError(
            f"--confidence_scale={given} must be {AUTO} or a number above 0 and at most 1000"
        )
    return scale


@dataclasses.dataclass(frozen=True)
class Settings:
    """The prepared Criteo, and what is planted in it."""

    data_dir: str = required("Prepared dataset of Criteo.")
    out_dir: str = required("Folder of criteo_r and criteo_ur; must not exist.")
    noise: float = setting(0.1, "Standard deviation of the noise in related.", lower=0.0)
    confidence_scale: str = setting(
        "1.0",
        "Factor on the network's logit before anything is planted, or auto: chosen so that the "
        "correlation with unrelated is the published one.",
    )
    epochs: int = setting(2, "Number of passes of the network over the training rows.", lower=1)
    seed: int = setting(
        0, "Seed of the network, the noise and the shuffle.", lower=0, upper=2**32 - 1
    )
    threads: int = setting(
        0, "Number of processor threads that TensorFlow may use; 0 takes all.", lower=0
    )


def main(settings: Settings) -> None:
    """Runs the program."""
    from data_prep.criteo.related_tasks import make, summary  # late: they take long to import

    scale = _scale(settings.confidence_scale)
    command_line.use_threads(settings.threads)
    schemas = make(
        settings.data_dir,
        settings.out_dir,
        settings.noise,
        scale,
        settings.epochs,
        settings.seed,
    )
    print(summary(schemas))
    print(f"Written to {settings.out_dir}.")


if __name__ == "__main__":
    command_line.run(main, Settings)
