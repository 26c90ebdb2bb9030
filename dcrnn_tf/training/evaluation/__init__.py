"""Evaluation: predictions of a model over a split or over loose rows, and the metrics of them."""

from dcrnn_tf.training.evaluation.curve_points import curves
from dcrnn_tf.training.evaluation.errors import EvaluationError
from dcrnn_tf.training.evaluation.figures import evaluate, weights_of
from dcrnn_tf.training.evaluation.predictor import Predictor
from dcrnn_tf.training.evaluation.words import sentence

__all__ = ["EvaluationError", "Predictor", "curves", "evaluate", "sentence", "weights_of"]
