"""Claims about predictions."""

from collections.abc import Callable

import keras
import numpy as np
import pytest

from fashion_mnist.data.split import Floats
from fashion_mnist.training.inference import predict
from tests.unit.small_networks import small_cnn, small_dense


@pytest.fixture(scope="module")
def images() -> Floats:
    return np.random.default_rng(0).random((500, 28, 28, 1), dtype=np.float32)


def test_prediction_is_a_row_of_probabilities_for_each_image(images: Floats) -> None:
    probabilities = predict(small_cnn(), images)
    assert probabilities.shape == (500, 10)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("network", [small_dense, small_cnn])
def test_bits_of_a_prediction_do_not_depend_on_the_other_images(
    images: Floats, network: Callable[[], keras.Model]
) -> None:
    model = network()
    whole = predict(model, images)
    counts = (0, 1, 47, 48, 49, 96, 97, 143)
    assert [count for count in counts if not np.array_equal(predict(model, images[:count]), whole[:count])] == []
