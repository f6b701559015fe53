"""Compare the installed packages with a lock, which dvc.lock records as the packages that computed the results."""

from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement

from fashion_mnist.errors import ArtifactError
from pipeline.runtime.files import read_bytes, reading
from pipeline.runtime.paths import COMPUTE_LOCK

# The name by which a package is imported, if not its own.
IMPORTED_AS = {"pillow": "PIL", "scikit-learn": "sklearn"}


def check_packages(lock: Path = COMPUTE_LOCK) -> None:
    """Raise ArtifactError unless the packages that this process would import are those of a lock.

    lock: what `make lock` writes. The error names the first package that differs, what was found, and where.
    """
    with reading(str(lock), advice=f"run `git checkout HEAD -- {lock}`"):
        # Indented lines are hashes and comments.
        lines = [line.rstrip(" \\") for line in read_bytes(lock).decode().splitlines() if line[:1].isalnum()]
        locked = [Requirement(line) for line in lines]
    for package in locked:
        if (package.marker is None or package.marker.evaluate()) and (found := package_fault(package)):
            raise ArtifactError(
                f"{package.name}: {found}; expected {package.specifier}, as {lock} says. Run `make .venv/run` and use "
                "that environment, without PYTHONPATH"
            )


def package_fault(package: Requirement) -> str | None:
    """Say which package is found instead of the required one; None if that is found."""
    try:
        installed = distribution(package.name)
    except PackageNotFoundError:
        return "is not installed"
    folder = Path(str(installed.locate_file("")))
    if not package.specifier.contains(installed.version, prereleases=True):
        return f"{installed.version} is installed in {folder}"
    module = find_spec(IMPORTED_AS.get(package.name, package.name.replace("-", "_")))
    if module and module.origin and not Path(module.origin).is_relative_to(folder):
        return f"would be imported from {module.origin}, which is not the installed one"
    return None
