"""Claims about learning rates; optimizers are compared with Keras' in test_loop."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from fashion_mnist.training.optimizers import cosine, one_cycle


def test_one_cycle_rises_in_the_first_quarter_and_falls_to_zero() -> None:
    rate = one_cycle(0.8, 16)
    assert [round(float(rate(tf.constant(float(step)))), 6) for step in (1, 2, 4, 10, 16)] == [0.2, 0.4, 0.8, 0.4, 0]


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_one_cycle_of_few_steps_is_finite(steps: int) -> None:
    rate = one_cycle(0.8, steps)
    rates = [float(rate(tf.constant(float(step)))) for step in range(1, steps + 1)]
    assert min(rates) >= 0
    assert max(rates) <= np.float32(0.8)


def test_cosine_is_that_of_keras() -> None:
    rate, expected = cosine(0.8, 7), keras.optimizers.schedules.CosineDecay(0.8, decay_steps=7)
    for step in range(7):
        assert float(rate(tf.constant(step + 1.0))) == pytest.approx(float(expected(step)), abs=1e-7)
