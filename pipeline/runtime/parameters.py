"""Read params.yaml."""

from fashion_mnist.errors import ArtifactError, ParamsError
from fashion_mnist.params import Params
from fashion_mnist.parsing import parse_params
from pipeline.runtime.formats import parse_yaml
from pipeline.runtime.paths import PARAMS


def read_params() -> Params:
    """Read params.yaml. Raises ParamsError that names the file, the key, its value and what was expected."""
    try:
        document = parse_yaml(PARAMS.read_bytes(), name=str(PARAMS), advice="correct that line")
    except OSError as error:
        raise ParamsError(f"{PARAMS}: cannot be read ({error.strerror}); run in the folder of dvc.yaml") from error
    except ArtifactError as error:
        raise ParamsError(str(error)) from error
    return parse_params(document, source=str(PARAMS))
