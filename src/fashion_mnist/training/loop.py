"""Train a network: reshuffled every epoch, one compiled loop over many steps.

`keras.Model.fit` returns to Python after every batch of 32, which costs a small network more than its arithmetic.
Here the images live in one tensor, a batch is a row of shuffled indices, and a `tf.function` walks over many rows.
The mathematics is that of `fit`: the same loss, optimizers as Keras defines them, each image once an epoch.

A batch is cut into shares. Each goes through the network on its own, every operation on one thread, and gradients are
summed in the order of the shares. So the bits depend on the number of shares, and the number of cores only decides how
many shares are computed at once.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from fashion_mnist.data.split import Floats, Labels, Split
from fashion_mnist.errors import ParamsError, innermost, shorten
from fashion_mnist.params.training import TrainingParams
from fashion_mnist.training.inference import as_tensor, predict
from fashion_mnist.training.objective import accuracy_score, cross_entropy, most_probable
from fashion_mnist.training.optimizers import learning_rate_of, optimizer_of

# Between two reports of progress: well under a second of work, yet enough that the calls cost nothing.
STEPS_PER_CALL = 125
LONGEST_REASON = 300  # characters of what TensorFlow says


class EpochResult(NamedTuple):
    """What history.csv records of one epoch; training figures are running means over the epoch, as in Keras.

    Validation figures are NaN where there is no validation split.
    """

    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float


class Progress(NamedTuple):
    """How far training is: steps done out of all, and the running means of the present epoch."""

    epoch: int
    step: int
    steps: int
    loss: float
    accuracy: float


def fit(
    model: keras.Model,
    train: Split,
    validation: Split | None,
    params: TrainingParams,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_epoch: Callable[[EpochResult], None] = lambda _: None,
) -> list[EpochResult]:
    """Train a network in place and return one result for each epoch.

    train, validation: images float32, shape (n, *shape); labels, shape (n,). The seed in `params` decides
    the order of images; the network's weights were drawn when it was built. Without validation, no epoch is better than
    another: training goes on to the last one, which is kept.
    """
    steps = -(-len(train.labels) // params.batch_size)
    weights = balanced_weights(train.labels, model.output_shape[-1]) if params.class_weights == "balanced" else None
    train_steps = _compile_steps(model, params, steps=steps * params.epochs, class_weights=weights)
    images, labels = as_tensor(train.images), tf.constant(train.labels, tf.int32)
    rng = np.random.default_rng(params.seed)
    history: list[EpochResult] = []
    best_loss, best_epoch = math.inf, 0
    best_weights: list[npt.NDArray[Any]] = []
    for epoch in range(1, params.epochs + 1):
        loss = right = seen = 0.0
        for batches, first, last in _calls(rng.permutation(len(train.labels)), params.batch_size):
            try:
                call_loss, call_right = train_steps(images, labels, batches, first, last)
            except (tf.errors.OpError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
                raise ParamsError(_why_not_trained(params, error)) from error
            loss, right = loss + float(call_loss), right + float(call_right)
            seen += int(last - first) * batches.shape[1]
            step = (epoch - 1) * steps + -(-int(seen) // params.batch_size)
            on_progress(Progress(epoch, step, steps * params.epochs, loss / seen, right / seen))
        result = EpochResult(epoch, loss / seen, right / seen, *_validate(model, validation))
        history.append(result)
        on_epoch(result)
        if result.val_loss < best_loss:
            best_loss, best_epoch = result.val_loss, epoch
            best_weights = model.get_weights() if params.keep == "best" else []
        if validation and params.stop_after and epoch - best_epoch >= params.stop_after:
            break
    if params.keep == "best" and best_epoch:  # none is best without validation, or where no loss is a number
        model.set_weights(best_weights)
    return history


def _why_not_trained(params: TrainingParams, error: Exception) -> str:
    """Say in one line what TensorFlow refused: a layer that it cannot compile, or cannot repeat."""
    advice = "set jit_compile to false, or change its layers" if params.jit_compile else "change its layers"
    reason = shorten(innermost(error), LONGEST_REASON).rstrip(".")
    return (
        f"the network {params.network} cannot be trained: {reason}; expected layers that TensorFlow can run. {advice}"
    )


def _validate(model: keras.Model, validation: Split | None) -> tuple[float, float]:
    """Return loss and accuracy on validation; NaN without it."""
    if validation is None:
        return math.nan, math.nan
    probabilities = predict(model, validation.images)
    return (
        cross_entropy(validation.labels, probabilities),
        accuracy_score(validation.labels, most_probable(probabilities)),
    )


def _calls(order: npt.NDArray[np.int64], batch_size: int) -> Iterator[tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
    """Cut a shuffled epoch into calls: (indices of shape (batches, size), first row, row after the last).

    The rest that fills no batch comes last, as one smaller batch.
    """
    whole = len(order) - len(order) % batch_size
    for rows in (order[:whole].reshape(-1, batch_size), order[whole:].reshape(1, -1)):
        batches = tf.constant(rows, tf.int32)
        if rows.size:
            for first in range(0, len(rows), STEPS_PER_CALL):
                # Tensors, for TensorFlow would compile anew for each Python number.
                yield batches, tf.constant(first), tf.constant(min(first + STEPS_PER_CALL, len(rows)))


def _compile_steps(
    model: keras.Model, params: TrainingParams, *, steps: int, class_weights: Floats | None
) -> Callable[..., Any]:
    """Return a compiled function that trains on some batches and returns the sums of loss and right predictions.

    steps: of the whole training. class_weights: shape (classes,), or None.
    """
    loss_of = _loss(params, classes=model.output_shape[-1], class_weights=class_weights)
    variables = [variable.value for variable in model.trainable_variables]
    apply_gradients = optimizer_of(params, variables, learning_rate_of(params, steps=steps))

    @tf.function(jit_compile=params.jit_compile)
    def train_steps(
        images: tf.Tensor, labels: tf.Tensor, batches: tf.Tensor, first: tf.Tensor, last: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        total_loss, total_right = tf.constant(0.0), tf.constant(0.0)
        row = first
        # Not tf.range: XLA takes its bounds for constants and would compile anew for every pair of them.
        while row < last:
            batch, gradients = batches[row], []
            for share in tf.split(batch, _share_sizes(batch.shape[0], params.shares)):
                share_labels = tf.gather(labels, share)
                with tf.GradientTape() as tape:
                    probabilities = model(tf.gather(images, share), training=True)
                    loss = loss_of(share_labels, probabilities)
                    if model.losses:  # of regularizers
                        loss += tf.add_n(model.losses)
                    loss *= share.shape[0] / batch.shape[0]
                gradients.append(tape.gradient(loss, variables))
                right = tf.argmax(probabilities, axis=-1, output_type=tf.int32) == share_labels
                total_loss += loss * batch.shape[0]
                total_right += tf.reduce_sum(tf.cast(right, tf.float32))
            apply_gradients([tf.add_n(of_shares) for of_shares in zip(*gradients, strict=True)])
            row += 1
        return total_loss, total_right

    return train_steps


def _loss(
    params: TrainingParams, *, classes: int, class_weights: Floats | None
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Return the mean loss of labels, shape (n,), and probabilities, shape (n, classes)."""
    sparse = keras.losses.SparseCategoricalCrossentropy()
    smoothed = keras.losses.CategoricalCrossentropy(label_smoothing=params.label_smoothing)

    def loss_of(labels: tf.Tensor, probabilities: tf.Tensor) -> tf.Tensor:
        weights = None if class_weights is None else tf.gather(tf.constant(class_weights), labels)
        if params.label_smoothing:
            return smoothed(tf.one_hot(labels, classes), probabilities, sample_weight=weights)
        return sparse(labels, probabilities, sample_weight=weights)

    return loss_of


def balanced_weights(labels: Labels, classes: int) -> Floats:
    """Return a weight for each class, shape (classes,), so that all count the same; over images, their mean is 1."""
    counts = np.bincount(labels, minlength=classes)
    return (len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))).astype(np.float32)


def _share_sizes(images: int, shares: int) -> list[int]:
    """Cut a batch of so many images into shares that differ by one image at most; fewer if it holds fewer images."""
    return [len(share) for share in np.array_split(np.arange(images), min(images, shares))]
