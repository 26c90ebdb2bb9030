"""DCRNN and DEPHN: multi-task recommender models in TensorFlow 2 and Keras 3."""

__version__ = "0.1.0"
