"""Claims about predictions."""

import numpy as np
import pytest

from fashion_mnist.data.split import Floats
from fashion_mnist.training.inference import predict
from tests.unit.small_networks import small_cnn

pytestmark = pytest.mark.usefixtures("tensorflow_runtime")


@pytest.fixture(scope="module")
def images() -> Floats:
    return np.random.default_rng(0).random((7, 28, 28, 1), dtype=np.float32)


def test_prediction_in_batches_equals_prediction_at_once(images: Floats) -> None:
    model = small_cnn()
    at_once = predict(model, images, batch_size=7)
    assert at_once.shape == (7, 10)
    np.testing.assert_allclose(at_once.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(predict(model, images, batch_size=3), at_once, rtol=1e-6)
