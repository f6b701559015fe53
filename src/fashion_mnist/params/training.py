"""The parameters of a training, with the defaults of what a newcomer never sets.

A default decides bytes as a value in params.yaml does, so `train` depends on this file in dvc.yaml.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from fashion_mnist.params.fields import Count, Instructions, Section, Seed


class TrainingParams(Section):
    """What the training of every network needs; a network's own `Params` add to it.

    shares: into how many parts each batch is cut; they are computed at once where there are cores. weight_decay: that
    of AdamW, apart from the gradient. class_weights: balanced, so that all classes count the same. stop_after: so many
    epochs without a lower loss on validation. keep: the weights of the epoch with the lowest, or of the last.
    """

    network: str
    epochs: Count
    batch_size: Count = 32
    shares: Count = 1
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    schedule: Literal["constant", "one_cycle", "cosine"] = "constant"
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 0.001
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    class_weights: Literal["balanced"] | None = None
    stop_after: Count | None = None
    keep: Literal["best", "last"] = "last"
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    jit_compile: bool = False
    instructions: Instructions = "avx2"
    seed: Seed = 1

    @field_validator("shares")
    @classmethod
    def _shares_are_of_equal_size(cls, value: int, others: ValidationInfo) -> int:
        # A batch size that is wrong itself is reported instead.
        batch_size = others.data.get("batch_size", value)
        if value > batch_size:
            raise ValueError(f"at most {batch_size}, since batch_size is {batch_size}")
        if batch_size % value:
            raise ValueError(f"a number that divides batch_size, which is {batch_size}")
        return value

    @field_validator("momentum")
    @classmethod
    def _momentum_is_of_sgd(cls, value: float, others: ValidationInfo) -> float:
        if value and others.data.get("optimizer", "sgd") != "sgd":
            raise ValueError("0, or optimizer: sgd")
        return value

    @field_validator("weight_decay")
    @classmethod
    def _adam_with_weight_decay_is_adamw(cls, value: float, others: ValidationInfo) -> float:
        if value and others.data.get("optimizer") == "adam":
            raise ValueError("0, or optimizer: adamw")
        return value

    @field_validator("instructions")
    @classmethod
    def _half_precision_needs_native(cls, value: Instructions, others: ValidationInfo) -> Instructions:
        # On a CPU that has bfloat16, TensorFlow asks oneDNN for it, which aborts if AVX2 is the limit.
        if others.data.get("precision") == "mixed_bfloat16" and value != "native":
            raise ValueError("native, since precision is mixed_bfloat16")
        return value


DEFAULTS: Mapping[str, Any] = {
    name: field.default for name, field in TrainingParams.model_fields.items() if not field.is_required()
}


def without_defaults(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a section sets apart from the defaults, so that two that train the same way are equal.

    section: JSON values, also of a version that did not know every parameter.
    """
    return {key: value for key, value in section.items() if key not in DEFAULTS or value != DEFAULTS[key]}
