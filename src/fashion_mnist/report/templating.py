"""What all templates share."""

from jinja2 import Environment, PackageLoader, StrictUndefined


def template_environment() -> Environment:
    """Return an environment for the templates of this package, in which an unknown name is an error."""
    return Environment(
        loader=PackageLoader("fashion_mnist.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Markdown, from numbers and names that are our own
    )
