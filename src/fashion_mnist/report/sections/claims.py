"""The article's claims, each with what was measured here."""

from fashion_mnist.report.evidence import Evidence, PageSection
from fashion_mnist.study.claims import Claim, check_claims, check_claims_by_study


def claims(evidence: Evidence) -> PageSection | None:
    """Return a row for each claim: whether it holds, what the article states, and the figure measured here.

    Nothing if the article is about other images.
    """
    if not evidence.data.is_article:
        return None
    keys = ("claims.claim", "claims.verdict", "claims.stated", "claims.here", "page.interval", "claims.trainings")
    return PageSection(
        protocol=evidence.say("claims.by_study" if evidence.comparison_study else "claims.by_run"),
        table=[[evidence.say(key) for key in keys], *(_row(claim, evidence) for claim in _check(evidence))],
    )


def _check(evidence: Evidence) -> list[Claim]:
    """Judge the claims by the study if it holds both models that are compared, else by the single run."""
    article = {name: evidence.published(name) for name in evidence.models}
    if evidence.comparison_study:
        return check_claims_by_study(
            article,
            evidence.comparison_study,
            baseline=evidence.baseline,
            candidate=evidence.candidate,
            confidence=evidence.confidence,
        )
    return check_claims(
        article,
        {name: results.scores for name, results in evidence.models.items()},
        {name: results.history["val_loss"] for name, results in evidence.models.items()},
        evidence.comparison,
        images={name: split.images for name, split in evidence.data.splits.items()},
        candidate=evidence.candidate,
        confidence=evidence.confidence,
    )


def _row(claim: Claim, evidence: Evidence) -> list[str]:
    # What the article states is an accuracy; its other claims are about differences.
    form, language = "points" if claim.stated is None else "percent", evidence.language
    return [
        language.say(f"claims.{claim.kind}", model=claim.model),
        language.say("claims.holds" if claim.holds else "claims.fails"),
        language.percent(claim.stated),
        language.format_field(claim.found, form),
        language.interval(claim.low, claim.high, form),
        " + ".join(map(str, claim.trainings)),
    ]
