"""The report's words and numbers in the language of its reader.

The words of a language are in languages/CODE.toml; all languages have the same keys.
"""

import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

# Rows of finished text, the first of which is the header.
Table = list[list[str]]


def percent(share: float | None) -> str:
    """Write a share as a percentage with two decimals; a dash where there is none."""
    return "–" if share is None else f"{100 * share:.2f} %"


def points(difference: float | None) -> str:
    """Write a difference of shares in percentage points, with its sign; a dash where there is none."""
    if difference is None:
        return "–"
    rounded = round(100 * difference, 2) + 0.0  # which turns -0.0 into 0.0
    return f"{rounded:+.2f}".replace("-", "−")


def probability(p: float | None) -> str:
    """Write a p-value with two digits; very small ones as a power of ten; a dash where there is none."""
    if p is None:
        return "–"
    if p >= 0.001:
        return f"{p:.3f}"
    mantissa, exponent = f"{p:.1e}".split("e")
    return f"{mantissa} · 10<sup>{int(exponent)}</sup>".replace("-", "−") if p else "below 10<sup>−300</sup>"


class Language:
    """The words of one language, and its way to write numbers."""

    def __init__(self, code: str) -> None:
        self.code = code
        text = files("fashion_mnist.report").joinpath("languages", f"{code}.toml").read_text(encoding="utf-8")
        self._words: dict[str, str] = {
            f"{section}.{key}": words for section, texts in tomllib.loads(text).items() for key, words in texts.items()
        }
        self._marks = str.maketrans({".": self._words["number.decimal"], ",": self._words["number.thousands"]})

    def say(self, key: str, **values: Any) -> str:
        """Return a text by its key, such as answer.title, with values in its places.

        Raises KeyError for an unknown key or a missing value.
        """
        return self._words[key].format(**values)

    def name(self, kind: str, word: str) -> str:
        """Return what a word of the code, such as the model cnn, is called; the word itself if it has no name."""
        return self._words.get(f"{kind}.{word}", word)

    def names(self, kind: str, words: Iterable[str]) -> list[str]:
        """Return what several words of the code are called."""
        return [self.name(kind, word) for word in words]

    def write(self, number: str) -> str:
        """Turn a number as Python writes it into one with this language's marks."""
        return number.translate(self._marks)

    def percent(self, share: float | None) -> str:
        """Write a share in percent with two decimals; no line breaks before the sign."""
        return self.write(percent(share)).replace(" ", "\N{NO-BREAK SPACE}")

    def whole_percent(self, share: float) -> str:
        """Write a share in whole percents."""
        return f"{100 * share:.0f}\N{NO-BREAK SPACE}%"

    def points(self, difference: float | None) -> str:
        """Write a difference of shares in percentage points, with its sign."""
        return self.write(points(difference))

    def distance(self, difference: float) -> str:
        """Write the size of a difference of shares in percentage points, without a sign."""
        return self.write(f"{100 * abs(difference):.2f}")

    def probability(self, p: float) -> str:
        """Write a p-value."""
        return self.write(probability(p))

    def interval(self, low: float, high: float) -> str:
        """Write an interval of shares."""
        return self.say("page.range", low=self.percent(low), high=self.percent(high))

    def estimate(self, value: float, low: float, high: float) -> str:
        """Write a share with its interval."""
        return f"{self.percent(value)} ({self.interval(low, high)})"

    def shares(self, models: Mapping[str, float]) -> str:
        """Write a share of each model after the model's name."""
        return ", ".join(f"{self.name('model', model)} {self.percent(share)}" for model, share in models.items())

    def decimals(self, value: float) -> str:
        """Write a number with four decimals."""
        return self.write(f"{value:.4f}")

    def count(self, number: float) -> str:
        """Write a whole number with its thousands separated."""
        return self.write(f"{number:,.0f}")

    def setting(self, value: Any) -> str:
        """Write the value of a parameter; a dash where there is none."""
        if isinstance(value, tuple):
            return "; ".join(map(self.setting, value))
        if isinstance(value, bool | str):
            return str(value)
        return "–" if value is None else self.plain(value)

    def plain(self, value: float) -> str:
        """Write a number with the digits it has."""
        return self.write(f"{value:g}")
