"""Turn the document in params.yaml into parameters, or name the mistake in it."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import ValidationError

from fashion_mnist.errors import ParamsError
from fashion_mnist.networks import find_network, network_names
from fashion_mnist.params import Params
from fashion_mnist.params.fields import Section
from fashion_mnist.params.training import TrainingParams

LONGEST = 80  # of a wrong value in a message, in characters
Parsed = TypeVar("Parsed", bound=Section)


def parse_params(document: object, *, source: str) -> Params:
    """Turn a parsed YAML document into parameters.

    source: the name that an error carries. Raises ParamsError that names the key, its value and what was expected.
    """
    try:
        if not document and not isinstance(document, (str, int, float)):
            raise ParamsError(f"is empty; expected the sections {', '.join(Params.model_fields)}")
        for place in ("train", "recipes"):
            if isinstance(document, Mapping) and isinstance(document.get(place), Mapping):
                trainings = document[place].items()
                sections = {name: parse_training(name, section, place=place) for name, section in trainings}
                document = {**document, place: sections}
        return _validate(Params, document)
    except ParamsError as error:
        raise ParamsError(f"{source}: {error}") from error


def parse_training(name: str, section: object, *, place: str = "train") -> TrainingParams:
    """Parse a section under train or recipes as its network wants it. Raises ParamsError that names the key."""
    kind: type[TrainingParams] = TrainingParams
    if isinstance(section, Mapping):
        found = section.get("network")
        if found not in network_names():
            said = f"is {found!r}" if "network" in section else "is missing"
            raise ParamsError(f"{place}.{name}.network {said}; expected one of {', '.join(network_names())}")
        kind = find_network(found).Params
    return _validate(kind, section, at=(place, name))


def _validate(kind: type[Parsed], document: object, *, at: Sequence[str] = ()) -> Parsed:
    """Turn a mapping into a section; at: the keys above it. Raises ParamsError in one line."""
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        # A misspelled key is also reported as missing, but its spelling says more.
        problems = sorted(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
        raise ParamsError(" ".join(_describe(problems[0], kind, at).split())) from error


def _describe(problem: Mapping[str, Any], kind: type[Section], at: Sequence[str]) -> str:
    """Say in one line what is wrong with one key, from pydantic's account of it."""
    path = [part for part in problem["loc"] if part != "[key]"]
    key = ".".join(map(str, [*at, *path]))
    if problem["type"] == "missing":
        return f"{key} is missing; expected a value, since it has no default"
    if problem["type"] == "extra_forbidden":
        if key == "models":  # of a params.yaml before version 1.0.0
            return "models is gone; expected the models as sections under train, and others under recipes"
        if key in ("evaluate.threads", "study.threads"):  # of one before version 1.1.0
            return f"{key} is gone, since threads decide no bits any more; expected nothing in its place"
        if path == ["threads"] and issubclass(kind, TrainingParams):
            return (
                f"{key} is gone, since threads decide no bits any more; expected shares, into which each batch is cut"
            )
        known = _keys_at(kind, path[:-1])
        hint = get_close_matches(str(path[-1]), known, n=1)
        return f"{key} is unknown; expected {hint[0] if hint else 'one of ' + ', '.join(known)}"
    if problem["type"] in ("model_type", "mapping_type", "dict_type"):
        return f"{key or 'the document'} is {_short(problem['input'])}; expected keys with values"
    expected = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    expected = expected.replace("greater than or equal to", "at least").replace("less than or equal to", "at most")
    return f"{key} is {_short(problem['input'])}; expected {expected[:1].lower()}{expected[1:]}"


def _short(value: object) -> str:
    """Show a value, cut where it is long."""
    shown = repr(value)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"


def _keys_at(kind: type[Section], path: Sequence[Any]) -> list[str]:
    """List the keys of the section at a path below a section."""
    place: Any = kind
    for key in path:
        # Below a section is a field, below a mapping any of its values.
        place = get_args(place)[1] if get_args(place) else place.model_fields[key].annotation
    return list(place.model_fields)
