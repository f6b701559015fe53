"""What all templates share."""

from jinja2 import Environment, PackageLoader, StrictUndefined


def template_environment(room: str) -> Environment:
    """Return an environment for the templates of a room of the library, in which an unknown name is an error."""
    return Environment(
        loader=PackageLoader(f"fashion_mnist.{room}"),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Markdown, from numbers and names that are our own
    )
