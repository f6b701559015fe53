"""Optimizers and learning rates: as Keras defines them, by TensorFlow's fused kernels.

A fused kernel passes over each variable once, an optimizer of Keras several times, which costs the convolutional
network an eighth of its time. Formulas and constants are the same.
"""

import math
from collections.abc import Callable, Sequence

import tensorflow as tf

from fashion_mnist.params.training import TrainingParams

# The learning rate by the number of the step, from 1.
Rate = Callable[[tf.Tensor], tf.Tensor | float]
Apply = Callable[[Sequence[tf.Tensor]], None]

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7  # of Adam: Keras' defaults


def learning_rate_of(params: TrainingParams, *, steps: int) -> Rate:
    """Return the learning rate of each step; steps: of the whole training."""
    schedules: dict[str, Rate] = {
        "constant": lambda _: params.learning_rate,
        "one_cycle": one_cycle(params.learning_rate, steps),
        "cosine": cosine(params.learning_rate, steps),
    }
    return schedules[params.schedule]


def one_cycle(peak: float, steps: int) -> Rate:
    """Return a learning rate that rises to `peak` in the first quarter of the steps and falls to 0, both evenly.

    Source: Smith and Topin 2017, section 4.
    """
    rise = max(1.0, steps / 4)
    return lambda step: peak * tf.minimum(step / rise, (steps - step) / max(1.0, steps - rise))


def cosine(first: float, steps: int) -> Rate:
    """Return a learning rate that falls from `first` towards 0 along half a cosine, as Keras' CosineDecay.

    Source: Loshchilov and Hutter 2017, section 3, without restarts.
    """
    return lambda step: first * 0.5 * (1 + tf.cos(math.pi * (step - 1) / steps))


def optimizer_of(params: TrainingParams, variables: Sequence[tf.Variable], rate: Rate) -> Apply:
    """Return a function that applies gradients to variables, as often as it is called."""
    update = _sgd(variables, params.momentum) if params.optimizer == "sgd" else _adam(variables)
    step = tf.Variable(0.0)

    def apply(gradients: Sequence[tf.Tensor]) -> None:
        step.assign_add(1.0)
        if params.weight_decay:  # decoupled from the gradient. Source: Loshchilov and Hutter 2019
            for variable in variables:
                variable.assign_sub(variable * (params.weight_decay * rate(step)))
        update(gradients, step, rate(step))

    return apply


def _adam(variables: Sequence[tf.Variable]) -> Callable[[Sequence[tf.Tensor], tf.Tensor, tf.Tensor | float], None]:
    """Return Adam's update. Source: Kingma and Ba 2015."""
    moments = [(tf.Variable(tf.zeros_like(variable)), tf.Variable(tf.zeros_like(variable))) for variable in variables]

    def update(gradients: Sequence[tf.Tensor], step: tf.Tensor, rate: tf.Tensor | float) -> None:
        for variable, (first, second), gradient in zip(variables, moments, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=tf.pow(BETA_1, step),
                beta2_power=tf.pow(BETA_2, step),
                lr=rate,
                beta1=BETA_1,
                beta2=BETA_2,
                epsilon=EPSILON,
                grad=gradient,
            )

    return update


def _sgd(
    variables: Sequence[tf.Variable], momentum: float
) -> Callable[[Sequence[tf.Tensor], tf.Tensor, tf.Tensor | float], None]:
    """Return the update of stochastic gradient descent with momentum."""
    velocities = [tf.Variable(tf.zeros_like(variable)) for variable in variables]

    def update(gradients: Sequence[tf.Tensor], _: tf.Tensor, rate: tf.Tensor | float) -> None:
        for variable, velocity, gradient in zip(variables, velocities, gradients, strict=True):
            tf.raw_ops.ResourceApplyKerasMomentum(
                var=variable.handle, accum=velocity.handle, lr=rate, grad=gradient, momentum=momentum
            )

    return update
