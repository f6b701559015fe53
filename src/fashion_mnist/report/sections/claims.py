"""The article's claims, each with what was measured here."""

from typing import NamedTuple

from fashion_mnist.report.evidence import Evidence
from fashion_mnist.report.language import Language, Table
from fashion_mnist.study.claims import Claim, check_claims, check_claims_by_study


class Claims(NamedTuple):
    """What the section on the article's claims shows."""

    protocol: str
    table: Table


def claims(evidence: Evidence, language: Language) -> Claims | tuple[()]:
    """Return a row for each claim: whether it holds, what the article states, and the figure measured here.

    Nothing where the article is about other images.
    """
    if not evidence.data.is_article:
        return ()
    level = language.plain(100 * evidence.params.evaluate.confidence)
    protocol = language.say("claims.by_study" if evidence.comparison_study else "claims.by_run", level=level)
    titles = [language.say(f"claims.{key}") for key in ("claim", "verdict", "stated", "here")]
    header = [*titles, language.say("page.interval", level=level), language.say("claims.trainings")]
    return Claims(protocol, [header, *(_row(claim, language) for claim in _check(evidence))])


def _check(evidence: Evidence) -> list[Claim]:
    """Judge the claims by the study if it holds both models that are compared, else by the single run."""
    article = {name: evidence.published(name) for name in evidence.models}
    confidence = evidence.params.evaluate.confidence
    if evidence.comparison_study:
        return check_claims_by_study(
            article,
            evidence.comparison_study,
            baseline=evidence.baseline,
            candidate=evidence.candidate,
            confidence=confidence,
        )
    return check_claims(
        article,
        {name: results.scores for name, results in evidence.models.items()},
        {name: results.history["val_loss"] for name, results in evidence.models.items()},
        evidence.comparison,
        images={name: split.images for name, split in evidence.data.splits.items()},
        candidate=evidence.candidate,
        confidence=confidence,
    )


def _row(claim: Claim, language: Language) -> list[str]:
    # What the article states is an accuracy; its other claims are about differences.
    write = language.points if claim.stated is None else language.percent
    return [
        language.say(f"claims.{claim.kind}", model=language.name("model", claim.model)),
        language.say("claims.holds" if claim.holds else "claims.fails"),
        language.percent(claim.stated),
        write(claim.found),
        language.say("page.range", low=write(claim.low), high=write(claim.high)),
        " + ".join(map(str, claim.trainings)),
    ]
