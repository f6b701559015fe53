"""What tests of every kind share: TensorFlow, configured once."""

import pytest

import pipeline  # noqa: F401 - sets what Keras and TensorFlow read from the environment when they are imported


@pytest.fixture(scope="session")
def tensorflow_runtime() -> None:
    """TensorFlow as the stages configure it; once, for thread counts cannot change after it has computed."""
    from fashion_mnist.training.determinism import configure_tensorflow

    configure_tensorflow(seed=1, threads=2)
