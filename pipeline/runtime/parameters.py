"""Read params.yaml."""

import re
from collections.abc import Mapping
from typing import Any

from fashion_mnist.errors import ArtifactError, ParamsError
from fashion_mnist.params import Params
from fashion_mnist.params.parsing import parse_params
from fashion_mnist.sources.known import check_params
from pipeline.bytes.formats import parse_yaml
from pipeline.runtime.files import UNREADABLE
from pipeline.runtime.paths import PARAMS


def read_params() -> Params:
    """Read params.yaml. Raises ParamsError that names the file, the key, its value and what was expected."""
    try:
        content = PARAMS.read_bytes()
        document = parse_yaml(content, name=str(PARAMS), advice="correct that line")
    except OSError as error:
        raise ParamsError(f"{PARAMS}: cannot be read ({error.strerror}); run in the folder of dvc.yaml") from error
    except ArtifactError as error:
        raise ParamsError(plain(str(error))) from error
    except UNREADABLE as error:  # what the YAML reader raises for a date of the 40th, or thousands of open brackets
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise ParamsError(f"{PARAMS}: is not YAML ({reason}); correct it") from error
    params = parse_params(document, source=str(PARAMS))
    try:
        check_params(params)
    except ParamsError as error:
        raise ParamsError(f"{PARAMS}: {error}") from error
    return params


def plain(said: str) -> str:
    """Remove from a YAML error what only programmers need."""
    said = re.sub(r' in "<byte string>", (line|position)', r" at \1", said)
    return re.sub(r" To suppress this check see: \S+?(?=\))", "", said)


def flatten(tree: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Name each leaf of nested mappings by its dotted path, such as train.cnn.epochs."""
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        leaves |= flatten(value, f"{path}{key}.") if isinstance(value, Mapping) else {f"{path}{key}": value}
    return leaves
