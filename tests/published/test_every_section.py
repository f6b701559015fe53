"""Every section of params.yaml, recipes among them, builds a network for Fashion-MNIST."""

import numpy as np
import pytest

from fashion_mnist.networks import build
from fashion_mnist.training.inference import predict
from pipeline.runtime.parameters import read_params
from pipeline.tools.demo import PROJECT
from tests.unit.small_networks import CLASSES, SHAPE


def test_every_section_builds_a_network_that_gives_probabilities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    params = read_params()
    images = np.random.default_rng(0).random((7, *SHAPE), dtype=np.float32)
    for name, section in {**params.train, **params.recipes}.items():
        assert predict(build(section, shape=SHAPE, classes=CLASSES), images).shape == (7, CLASSES), name
