"""The report's words and numbers in the language of its reader.

The words of a language are in languages/CODE.toml; all languages have the same keys.
"""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from string import Formatter
from typing import Any

# What a place in a text may ask for after the colon, as in {difference:points}, besides a format of Python's.
FORMS = ("count", "distance", "model", "percent", "plain", "points", "probability", "whole_percent")


def percent(share: float | None) -> str:
    """Write a share as a percentage with two decimals; a dash for None."""
    return "–" if share is None else f"{100 * share:.2f} %"


def points(difference: float | None) -> str:
    """Write a difference of shares in percentage points, with its sign; a dash for None."""
    if difference is None:
        return "–"
    rounded = round(100 * difference, 2) + 0.0  # which turns -0.0 into 0.0
    return f"{rounded:+.2f}".replace("-", "−")


class Language(Formatter):
    """The words of one language, and its way to write numbers."""

    def __init__(self, code: str, *, space: str = "\N{NO-BREAK SPACE}") -> None:
        """Read the words of a language; space: what stands before a percent sign."""
        self.code, self._space = code, space
        text = files("fashion_mnist.report").joinpath("languages", f"{code}.toml").read_text(encoding="utf-8")
        self._words: dict[str, str] = {
            f"{section}.{key}": words for section, texts in tomllib.loads(text).items() for key, words in texts.items()
        }
        self._marks = str.maketrans({".": self._words["number.decimal"], ",": self._words["number.thousands"]})

    def say(self, key: str, **values: Any) -> str:
        """Return a text by its key, such as answer.title, with values in its places.

        Raises KeyError for an unknown key or a missing value.
        """
        return self.format(self._words[key], **values)

    def format_field(self, value: Any, format_spec: str) -> str:
        """Write a value as its place in a text asks for."""
        if format_spec in FORMS:
            return getattr(self, format_spec)(value)  # type: ignore[no-any-return]
        return self.write(format(value, format_spec)) if format_spec else str(value)

    def name(self, kind: str, word: str) -> str:
        """Return what a word of the code, such as the model cnn, is called; the word itself if it has no name."""
        return self._words.get(f"{kind}.{word}", word)

    def model(self, word: str) -> str:
        """Return what a model is called."""
        return self.name("model", word)

    def write(self, number: str) -> str:
        """Turn a number as Python writes it into one with this language's marks."""
        return number.translate(self._marks)

    def percent(self, share: float | None) -> str:
        """Write a share in percent with two decimals."""
        return self.write(percent(share)).replace(" ", self._space)

    def whole_percent(self, share: float) -> str:
        """Write a share in whole percents."""
        return f"{100 * share:.0f}{self._space}%"

    def points(self, difference: float | None) -> str:
        """Write a difference of shares in percentage points, with its sign."""
        return self.write(points(difference))

    def distance(self, difference: float) -> str:
        """Write the size of a difference of shares in percentage points, without a sign."""
        return self.write(f"{100 * abs(difference):.2f}")

    def probability(self, p: float | None) -> str:
        """Write a p-value with two digits; very small ones as a power of ten; a dash for None."""
        if p is None:
            return "–"
        if p >= 0.001:
            return self.write(f"{p:.3f}")
        mantissa, exponent = f"{p:.1e}".split("e")
        written = self.write(f"{mantissa} · 10<sup>{int(exponent)}</sup>").replace("-", "−")
        return written if p else self.say("number.below", bound="10<sup>−300</sup>")

    def interval(self, low: float, high: float, form: str = "percent") -> str:
        """Write an interval; form: of its ends, as a place in a text would ask for it."""
        return self.say("page.range", low=self.format_field(low, form), high=self.format_field(high, form))

    def estimate(self, value: float, low: float, high: float) -> str:
        """Write a share with its interval."""
        return f"{self.percent(value)} ({self.interval(low, high)})"

    def shares(self, models: Mapping[str, float]) -> str:
        """Write a share of each model after the model's name."""
        return ", ".join(f"{self.model(model)} {self.percent(share)}" for model, share in models.items())

    def count(self, number: float) -> str:
        """Write a whole number with its thousands separated."""
        return self.write(f"{number:,.0f}")

    def plain(self, value: float) -> str:
        """Write a number with the digits it has."""
        return self.write(f"{value:g}")
