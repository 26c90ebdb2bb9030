"""The AUC of a simulation's true probabilities, counted in bounded memory."""

import numpy as np

_BINS = 1 << 20
_LARGEST_LOGIT = 32.0


class AucHistogram:
    """AUC of probabilities against labels, from histograms of the logits.

    Only pairs within a bin, `2 ** -14` wide, can be counted wrongly. On simulated Ali-CCP of
    100,000 and 200,000 exposures the distance to the exact AUC is up to 7e-7 for clicks, and up to
    9e-6 for conversions, of which there are 300 to 650; chance moves an AUC of so few by 1e-2.
    """

    def __init__(self):
        self._counts = np.zeros((2, _BINS), np.int64)

    def add(self, probabilities: np.ndarray, labels: np.ndarray) -> None:
        """Counts exposures, `(rows,)` each."""
        logits = np.log(probabilities) - np.log1p(-probabilities)
        bins = (logits / _LARGEST_LOGIT + 1) / 2 * _BINS
        bins = np.clip(bins, 0, _BINS - 1).astype(np.int64)
        for label in (0, 1):
            self._counts[label] += np.bincount(bins[labels == label], minlength=_BINS)

    def auc(self) -> float | None:
        """Returns the AUC, pairs in the same bin counted as a half; None without both labels."""
        negatives, positives = self._counts
        pairs = int(negatives.sum()) * int(positives.sum())
        below = np.cumsum(negatives) - negatives / 2
        return float((positives * below).sum() / pairs) if pairs else None
