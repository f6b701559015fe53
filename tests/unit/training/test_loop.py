"""Claims about training, on a hundred drawn garments."""

import os
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from fashion_mnist.data.dataset import scale_pixels
from fashion_mnist.data.split import Floats, Split
from fashion_mnist.errors import ParamsError
from fashion_mnist.networks import build
from fashion_mnist.networks.dense import Params
from fashion_mnist.sources.synthetic import draw_garments
from fashion_mnist.training import loop
from fashion_mnist.training.determinism import configure_tensorflow
from fashion_mnist.training.inference import as_tensor, predict
from fashion_mnist.training.loop import EpochResult, Progress, fit
from fashion_mnist.training.objective import accuracy_score, cross_entropy
from pipeline.tools.demo import PROJECT
from tests.processes import run_python
from tests.unit.small_networks import SMALL

# Two whole batches of 32, and a rest of 6.
IMAGES = 70


@pytest.fixture(scope="module")
def train() -> Split:
    return garments(IMAGES, seed=1)


@pytest.fixture(scope="module")
def validation() -> Split:
    return garments(30, seed=2)


def garments(count: int, *, seed: int) -> Split:
    images, labels = draw_garments(count, seed=seed)
    return Split(scale_pixels(images), labels)


def params(**changes: Any) -> Params:
    return Params(**SMALL | {"network": "dense", "units": 16} | changes)


def seeded(params: Params) -> keras.Model:
    """Build a network as the train stage does: after the seed is set."""
    keras.utils.set_random_seed(params.seed)
    return build(params, shape=(28, 28, 1), classes=10)


def as_keras(params: Params, *, steps: int) -> keras.optimizers.Optimizer:
    """Return Keras' own optimizer and schedule for the parameters; but for one_cycle, which Keras has not."""
    rate = params.learning_rate
    if params.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, decay_steps=steps)
    if params.optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=params.momentum, weight_decay=params.weight_decay or None)
    if params.optimizer == "adamw":
        return keras.optimizers.AdamW(rate, weight_decay=params.weight_decay)
    return keras.optimizers.Adam(rate)


def fit_by_hand(model: keras.Model, train: Split, params: Params) -> list[tuple[float, float]]:
    """Train as Keras would batch by batch; return the mean loss and accuracy of each epoch before its steps."""
    steps = params.epochs * -(-len(train.labels) // params.batch_size)
    loss_of = keras.losses.CategoricalCrossentropy(label_smoothing=params.label_smoothing)
    model.compile(as_keras(params, steps=steps), loss_of, run_eagerly=True)
    rng = np.random.default_rng(params.seed)
    counts = np.bincount(train.labels)
    of_class = len(train.labels) / (len(counts) * counts) if params.class_weights else np.ones(len(counts))
    means, step = [], 0
    for _ in range(params.epochs):
        order = rng.permutation(len(train.labels))
        loss = right = 0.0
        for start in range(0, len(order), params.batch_size):
            images, labels = (values[order[start : start + params.batch_size]] for values in train)
            wanted, weights = keras.utils.to_categorical(labels, 10), of_class[labels]
            probabilities = model(images, training=False).numpy()
            loss += len(labels) * (float(loss_of(wanted, probabilities, weights)) + float(sum(model.losses)))
            right += np.count_nonzero(probabilities.argmax(axis=1) == labels)
            step += 1
            if params.schedule == "one_cycle":
                rise = steps / 4
                model.optimizer.learning_rate = params.learning_rate * min(step / rise, (steps - step) / (steps - rise))
            model.train_on_batch(images, wanted, sample_weight=weights)
        means.append((loss / len(order), right / len(order)))
    return means


def test_configuration_overrides_a_users_own_and_seeds_every_draw() -> None:
    keras.config.set_image_data_format("channels_first")
    keras.config.set_floatx("float64")
    keras.config.set_epsilon(0.1)
    draws = []
    for seed in (1, 1, 2):
        configure_tensorflow(seed=seed, workers=2)
        draws.append(keras.random.uniform((2,)).numpy().tolist())
    assert draws[0] == draws[1] != draws[2]
    assert keras.config.image_data_format() == "channels_last"
    assert keras.config.floatx() == "float32"
    assert keras.config.epsilon() == 1e-7
    assert tf.config.threading.get_intra_op_parallelism_threads() == 1


def test_a_process_that_has_not_computed_runs_as_many_operations_at_once_as_it_has_workers() -> None:
    script = (
        "import tensorflow as tf\n"
        "from fashion_mnist.training.determinism import configure_tensorflow\n"
        "for workers in (3, 2):\n"
        "    configure_tensorflow(seed=1, workers=workers)\n"
        "tf.ones(1) + 1\n"
        "configure_tensorflow(seed=1, workers=4)  # too late: it keeps two\n"
        "print(tf.config.threading.get_intra_op_parallelism_threads())\n"
        "print(tf.config.threading.get_inter_op_parallelism_threads())\n"
    )
    assert run_python("-c", script, folder=PROJECT, environment=os.environ).stdout.split() == ["1", "2"]


@pytest.mark.parametrize(
    "changes",
    [
        {"shares": 1},
        {"shares": 2},
        {"shares": 8},  # more than the last batch has images
        {"shares": 1, "jit_compile": True},
        {"shares": 4, "jit_compile": True},
        {"shares": 2, "schedule": "one_cycle"},
        {"shares": 2, "schedule": "cosine"},
        {"shares": 2, "optimizer": "adamw", "weight_decay": 0.1},
        {"shares": 2, "optimizer": "sgd", "learning_rate": 0.05},
        {"shares": 2, "optimizer": "sgd", "momentum": 0.9, "weight_decay": 0.01, "schedule": "cosine"},
        {"shares": 2, "optimizer": "sgd", "momentum": 0.9, "jit_compile": True},
        {"shares": 2, "label_smoothing": 0.1},
        {"shares": 2, "class_weights": "balanced"},
        {"shares": 1, "class_weights": "balanced", "label_smoothing": 0.2, "optimizer": "adamw", "jit_compile": True},
    ],
)
def test_training_equals_that_of_keras_batch_by_batch(train: Split, validation: Split, changes: dict[str, Any]) -> None:
    chosen = params(**{"epochs": 3, "seed": 3} | changes)
    uneven = Split(train.images, np.concatenate([train.labels[:40], train.labels[40:] // 2]))
    model, reference = seeded(chosen), seeded(chosen)
    history = fit(model, uneven, validation, chosen)
    expected = fit_by_hand(reference, uneven, chosen)
    for weights, expected_weights in zip(model.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_allclose(weights, expected_weights, atol=1e-5)
    np.testing.assert_allclose([(epoch.loss, epoch.accuracy) for epoch in history], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("images", "shares", "sizes"), [(32, 2, [16, 16]), (24, 4, [6] * 4), (7, 4, [2, 2, 2, 1]), (3, 8, [1, 1, 1])]
)
def test_shares_of_a_batch_differ_by_one_image_at_most_and_none_is_empty(
    images: int, shares: int, sizes: list[int]
) -> None:
    assert loop._share_sizes(images, shares) == sizes


def test_batch_normalization_sees_one_share_after_the_other(train: Split) -> None:
    layers = [keras.layers.Input((28, 28, 1)), keras.layers.BatchNormalization(), keras.layers.Flatten()]
    model = keras.Sequential([*layers, keras.layers.Dense(10, activation="softmax")])
    chosen = params(shares=2)
    fit(model, Split(train.images[:32], train.labels[:32]), None, chosen)
    order = np.random.default_rng(chosen.seed).permutation(32)
    mean = 0.0
    for share in np.split(order, 2):
        mean = 0.99 * mean + 0.01 * train.images[share].mean(dtype=np.float64)
    assert model.layers[0].moving_mean.numpy() == pytest.approx([mean], rel=1e-5)


def test_dropout_draws_anew_for_each_share_and_step_and_repeats_by_seed() -> None:
    same = Split(np.ones((32, 28, 28, 1), np.float32), np.zeros(32, np.uint8))
    seen: list[bytes] = []

    def keep(array: Floats) -> Floats:
        seen.append(array.tobytes())
        return array

    class Look(keras.layers.Layer):  # type: ignore[misc]
        """Keeps what reaches it."""

        def call(self, values: tf.Tensor) -> tf.Tensor:
            return tf.ensure_shape(tf.numpy_function(keep, [values], tf.float32), values.shape)

    for _ in range(2):
        layers = [keras.layers.Input((28, 28, 1)), keras.layers.Dropout(0.5, seed=1), Look(), keras.layers.Flatten()]
        model = keras.Sequential([*layers, keras.layers.Dense(10, activation="softmax")])
        fit(model, same, None, params(shares=2, epochs=2))
    assert len(seen) == 8  # two shares of one step in two epochs, twice
    assert len(set(seen[:4])) == 4
    assert sorted(seen[:4]) == sorted(seen[4:])


def test_regularizers_of_layers_count_as_in_keras(train: Split) -> None:
    def build() -> keras.Model:
        keras.utils.set_random_seed(1)
        layers = [keras.layers.Input((28, 28, 1)), keras.layers.Flatten()]
        last = keras.layers.Dense(10, activation="softmax", kernel_regularizer=keras.regularizers.L2(0.1))
        return keras.Sequential([*layers, last])

    model, reference, chosen = build(), build(), params(epochs=2)
    history, expected = fit(model, train, None, chosen), fit_by_hand(reference, train, chosen)
    np.testing.assert_allclose(model.get_weights()[0], reference.get_weights()[0], atol=1e-5)
    np.testing.assert_allclose([(epoch.loss, epoch.accuracy) for epoch in history], expected, rtol=1e-5)


def test_training_stops_after_epochs_without_a_better_one_and_keeps_what_is_asked_for(
    train: Split, validation: Split
) -> None:
    chosen = params(epochs=40, learning_rate=0.05, stop_after=2)
    last, best = seeded(chosen), seeded(chosen)
    history = fit(last, train, validation, chosen)
    assert fit(best, train, validation, params(epochs=40, learning_rate=0.05, stop_after=2, keep="best")) == history
    losses = [epoch.val_loss for epoch in history]
    assert len(losses) < 40
    assert losses.index(min(losses)) == len(losses) - 3
    for model, expected in ((last, losses[-1]), (best, min(losses))):
        assert cross_entropy(validation.labels, predict(model, validation.images)) == expected


def test_training_of_which_no_loss_is_a_number_keeps_the_last_weights_whatever_is_asked_for(
    train: Split, validation: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_validate", lambda *_: (np.nan, 0.1))
    best, last = params(epochs=2, keep="best"), params(epochs=2)
    models = [seeded(best), seeded(last)]
    for model, chosen in zip(models, (best, last), strict=True):
        fit(model, train, validation, chosen)
    assert all(map(np.array_equal, *(model.get_weights() for model in models)))


def test_layer_that_xla_does_not_compile_is_told_in_one_line(train: Split) -> None:
    moved = keras.layers.RandomTranslation(0.1, 0.1)
    layers = [keras.layers.Input((28, 28, 1)), moved, keras.layers.Flatten(), keras.layers.Dense(10, "softmax")]
    with pytest.raises(ParamsError, match=r"^the network dense cannot be trained: .*ImageProjective") as refused:
        fit(keras.Sequential(layers), train, None, params(jit_compile=True))
    assert "set jit_compile to false" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_training_without_validation_goes_on_to_the_last_epoch(train: Split) -> None:
    chosen = params(epochs=4, learning_rate=0.05, stop_after=1, keep="best")
    stopped, plain = seeded(chosen), seeded(chosen)
    assert len(fit(stopped, train, None, chosen)) == 4
    fit(plain, train, None, params(epochs=4, learning_rate=0.05))
    assert all(map(np.array_equal, stopped.get_weights(), plain.get_weights()))


def test_images_may_begin_anywhere_and_are_not_copied_where_tensorflow_can_use_them(train: Split) -> None:
    histories = []
    for offset in (0, 4):
        memory = np.zeros(train.images.nbytes + 128, np.uint8)
        start = -memory.ctypes.data % 64 + offset
        images = memory[start : start + train.images.nbytes].view(np.float32).reshape(train.images.shape)
        images[:] = train.images
        tensor = as_tensor(images)
        images[0] += 1
        assert np.array_equal(tensor[0], images[0]) == (offset == 0)
        images[:] = train.images
        histories.append(fit(seeded(params()), Split(images, train.labels), None, params()))
    assert str(histories[0]) == str(histories[1])  # NaN without validation


def test_loss_falls(train: Split, validation: Split) -> None:
    chosen = params(epochs=5, learning_rate=0.01)
    history = fit(seeded(chosen), train, validation, chosen)
    assert history[-1].loss < 0.8 * history[0].loss


HALF = """
import os
import pipeline
from pipeline.bytes.numerics import choose_instructions
choose_instructions(os.environ, "native")
from fashion_mnist.scores.inspection import look_inside
from tests.unit.small_networks import small_cnn
from tests.unit.training.test_loop import fit, garments, params, seeded
chosen = params(precision="mixed_bfloat16", instructions="native", epochs=5, learning_rate=0.01)
history = fit(seeded(chosen), garments(70, seed=1), garments(30, seed=2), chosen)
print(history[-1].loss / history[0].loss)
print(*{values.dtype for values in look_inside(small_cnn("mixed_bfloat16"), garments(10, seed=1).images[0]).values()})
"""


def test_half_precision_learns_and_shows_float32_inside() -> None:
    # A process of its own: the limit to AVX2 is fixed once TensorFlow has computed.
    done = run_python("-c", HALF, folder=PROJECT, environment=os.environ)
    assert done.returncode == 0, done.stderr
    ratio, dtypes = done.stdout.splitlines()
    assert float(ratio) < 0.8
    assert dtypes == "float32"


def test_same_seed_gives_same_history_and_bytes_and_another_seed_others(train: Split, validation: Split) -> None:
    histories, weights = [], []
    for seed in (1, 1, 2):
        model = seeded(params(seed=seed))
        histories.append(fit(model, train, validation, params(seed=seed)))
        weights.append([array.tobytes() for array in model.get_weights()])
    assert histories[0] == histories[1] != histories[2]
    assert weights[0] == weights[1] != weights[2]


def test_history_holds_each_epoch_with_the_scores_of_the_network_on_validation(train: Split, validation: Split) -> None:
    chosen = params(epochs=3)
    model = seeded(chosen)
    told: list[EpochResult] = []
    history = fit(model, train, validation, chosen, on_epoch=told.append)
    assert [result.epoch for result in history] == [1, 2, 3]
    assert told == history
    probabilities = predict(model, validation.images)
    assert history[-1].val_loss == pytest.approx(cross_entropy(validation.labels, probabilities))
    assert history[-1].val_accuracy == accuracy_score(validation.labels, probabilities.argmax(axis=1).astype(np.uint8))


@pytest.mark.parametrize(("batch_size", "steps"), [(32, [2, 3, 5, 6]), (35, [2, 4]), (100, [1, 2])])
def test_progress_ends_at_the_last_step_also_where_a_rest_fills_no_batch(
    train: Split, validation: Split, batch_size: int, steps: list[int]
) -> None:
    told: list[Progress] = []
    chosen = params(batch_size=batch_size, shares=1, epochs=2)
    history = fit(seeded(chosen), train, validation, chosen, on_progress=told.append)
    assert [progress.step for progress in told] == steps
    assert {progress.steps for progress in told} == {steps[-1]}
    assert (told[-1].loss, told[-1].accuracy) == (history[-1].loss, history[-1].accuracy)


@pytest.mark.parametrize("batch_size", [1, 10, 32, 100])
def test_each_image_is_used_once_an_epoch_in_the_shuffled_order(
    batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "STEPS_PER_CALL", 3)
    order = np.random.default_rng(0).permutation(IMAGES)
    calls = [(batches.numpy(), int(first), int(last)) for batches, first, last in loop._calls(order, batch_size)]
    used = np.concatenate([batches[first:last].ravel() for batches, first, last in calls])
    assert used.tolist() == order.tolist()
    assert all(0 < last - first <= 3 for _, first, last in calls)
