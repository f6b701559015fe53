"""Claims about the gate's text."""

from fashion_mnist.report.templating import render_gate


def test_gate_that_cannot_judge_gives_its_reason() -> None:
    text = render_gate({"verdict": "cannot judge", "reason": "reports/ is missing"})
    assert text == "## Gate: cannot judge\n\nreports/ is missing\n"
