"""Claims about the fingerprint of a state."""

from pipeline.store.state import hash_values


def test_fingerprint_heeds_values_and_not_the_order_of_keys() -> None:
    assert hash_values({"a": 1, "b": [2]}) == hash_values({"b": [2], "a": 1})
    assert hash_values({"a": 1, "b": [2]}) != hash_values({"a": 1, "b": [3]})
    assert hash_values("a", "b") != hash_values("ab")
