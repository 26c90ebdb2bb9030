"""What the baselines hold in memory."""

import pytest

from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.system import memory
from dcrnn_tf.system.errors import UserError
from experiments.baselines import boosted_trees, logistic_regression

ROWS = 3000 + 500  # of training and validation


@pytest.mark.parametrize(
    ("fit", "needed"),
    [
        # Two columns of ids, a number, and three columns for each list.
        (lambda dataset: boosted_trees.fit(dataset, 5000, 1, 0.1, 3, 1), ROWS * 9 * (4 + 8)),
        (
            lambda dataset: logistic_regression.fit(dataset, 5000, [0.1]),
            ROWS * 3 * 2 * (8 + 4) + 25 * 8 * (20 + 12 + 1 + 8 + 30),
        ),
    ],
)
def test_rows_beyond_memory_are_refused_before_they_are_read(
    fit, needed, dataset_folder, monkeypatch
):
    dataset = PreparedDataset(dataset_folder)
    monkeypatch.setattr(PreparedDataset, "batches", lambda *_, **__: pytest.fail("rows are read"))
    monkeypatch.setattr(memory, "available", lambda: needed - 1)
    sentence = rf"^3,500 rows of {dataset_folder} take at least .* GiB; give a lower --max_rows"
    with pytest.raises(UserError, match=sentence):
        fit(dataset)
    monkeypatch.setattr(memory, "available", lambda: needed)
    with pytest.raises(pytest.fail.Exception, match="rows are read"):
        fit(dataset)
