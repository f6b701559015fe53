"""What decides the bits of a process's arithmetic, set before NumPy or TensorFlow is imported."""

from collections.abc import MutableMapping

SETTINGS = {
    # Keras' own configuration file may name another backend.
    "KERAS_BACKEND": "tensorflow",
    "TF_ENABLE_ONEDNN_OPTS": "1",
}


def fix_numerics(environment: MutableMapping[str, str]) -> None:
    """Set the variables that decide the bits, whatever the user's shell says; environment: that of this process."""
    environment.update(SETTINGS)
    # Silence TensorFlow's start-up messages.
    environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
