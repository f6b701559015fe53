"""The article's claims, each with what was measured here."""

from typing import NamedTuple

from fashion_mnist.report.evidence import Evidence
from fashion_mnist.report.language import Language, Table
from fashion_mnist.scores.claims import Claim, check_claims


class Claims(NamedTuple):
    """What the section on the article's claims shows."""

    table: Table


def claims(evidence: Evidence, language: Language) -> Claims:
    """Return a row for each claim: whether it holds, what the article states, and the figure measured here."""
    level = language.plain(100 * evidence.params.evaluate.confidence)
    checked = check_claims(
        {name: evidence.published(name) for name in evidence.models},
        {name: results.scores for name, results in evidence.models.items()},
        {name: results.history["val_loss"] for name, results in evidence.models.items()},
        evidence.comparison,
        images={split: evidence.data[split]["images"] for split in ("train", "validation", "test")},
        candidate=evidence.candidate,
        confidence=evidence.params.evaluate.confidence,
    )
    titles = [language.say(f"claims.{key}") for key in ("claim", "verdict", "stated", "here")]
    header = [*titles, language.say("page.interval", level=level)]
    return Claims([header, *(_row(claim, language) for claim in checked)])


def _row(claim: Claim, language: Language) -> list[str]:
    # What the article states is an accuracy; its other claims are about differences.
    write = language.points if claim.stated is None else language.percent
    return [
        language.say(f"claims.{claim.kind}", model=language.name("model", claim.model)),
        language.say("claims.holds" if claim.holds else "claims.fails"),
        language.percent(claim.stated),
        write(claim.found),
        language.say("page.range", low=write(claim.low), high=write(claim.high)),
    ]
