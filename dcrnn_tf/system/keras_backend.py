"""Refuses a Keras with another backend than TensorFlow."""

BACKEND = "tensorflow"
VARIABLE = "KERAS_BACKEND"


def check() -> None:
    """Refuses a Keras with another backend than TensorFlow.

    Raises:
      ImportError: says which backend Keras has, or why it cannot be imported.
    """
    try:
        import keras
    except ImportError as error:
        trouble = f"Keras cannot be imported ({error})"
    else:
        if keras.config.backend() == BACKEND:
            return
        trouble = f"its backend is {keras.config.backend()}"
    raise ImportError(
        f"dcrnn_tf needs Keras with the backend {BACKEND}, and {trouble}; set the environment "
        f"variable {VARIABLE}={BACKEND} before Keras is imported"
    )
