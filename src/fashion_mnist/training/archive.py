"""The archive that a trained network is kept in: a .keras file whose bytes only the network decides."""

import io
import json
import re
import tempfile
import zipfile
from pathlib import Path

import keras

from fashion_mnist.errors import DataError

# What Keras raises, by where an archive is damaged.
UNLOADABLE = (AttributeError, EOFError, KeyError, OSError, RuntimeError, TypeError, ValueError, zipfile.BadZipFile)

# The earliest date that a zip archive can carry.
NO_DATE = (1980, 1, 1, 0, 0, 0)


def to_archive(model: keras.Model) -> bytes:
    """Serialize a network, without its optimizer, as a .keras file; equal networks give equal bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return canonical_archive(path.read_bytes())


def from_archive(archive: bytes, *, name: str) -> keras.Model:
    """Load a network from the bytes of a .keras file, refusing code in it.

    name: what an error calls the file. Raises DataError if it is damaged or holds code.
    """
    if not zipfile.is_zipfile(io.BytesIO(archive)):
        raise DataError(f"{name}: is not a zip archive; expected a .keras file. Train again.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(archive)
        try:
            return keras.models.load_model(path, compile=False, safe_mode=True)
        except UNLOADABLE as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise DataError(f"{name}: does not load ({reason}); expected a .keras file. Train again.") from error


def canonical_archive(archive: bytes) -> bytes:
    """Rewrite a .keras file so that only the network decides its bytes.

    Keras writes the time of saving (in the metadata and in zip headers) and memory addresses (as ids of shared
    objects). Times become constant and ids count from 0 by first appearance.
    """
    source, target = zipfile.ZipFile(io.BytesIO(archive)), io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as packed:
        for name in sorted(source.namelist()):
            content = source.read(name)
            if name == "metadata.json":
                content = json.dumps(json.loads(content) | {"date_saved": "1980-01-01@00:00:00"}).encode()
            elif name == "config.json":
                content = _renumber_shared_objects(content.decode()).encode()
            packed.writestr(zipfile.ZipInfo(name, NO_DATE), content)
    return target.getvalue()


def _renumber_shared_objects(config: str) -> str:
    """Replace each id of a shared object by the order in which it first appears."""
    order: dict[str, int] = {}
    return re.sub(
        r'("shared_object_id": )(\d+)', lambda found: found[1] + str(order.setdefault(found[2], len(order))), config
    )
