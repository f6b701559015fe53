"""Claims about the description of a run."""

from fashion_mnist.report.run_description import describe_state


def test_table_has_a_column_for_each_model_and_the_paired_difference() -> None:
    scores = dict.fromkeys(
        ("accuracy", "accuracy_low", "accuracy_high", "validation_accuracy", "train_accuracy"), 0.87654
    ) | {"parameters": 101770}
    comparison = {"difference": 0.04, "difference_low": 0.03, "difference_high": 0.05, "mcnemar_p": 1e-9}
    text = describe_state({"dense": scores, "cnn": scores}, comparison, dataset="synthetic")
    assert "| on synthetic | dense | cnn |" in text
    assert "| test accuracy | 87.65 % | 87.65 % |" in text
    assert "| parameters | 101,770 | 101,770 |" in text
    assert "+4.00 points, interval +3.00 to +5.00; McNemar's exact p = 1e-09" in text
