"""Claims about the fingerprint of a state."""

from pipeline.store.state import fingerprint


def test_fingerprint_heeds_values_and_not_the_order_of_keys() -> None:
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1})
    assert fingerprint({"a": 1, "b": [2]}) != fingerprint({"a": 1, "b": [3]})
    assert fingerprint("a", "b") != fingerprint("ab")
