"""The archive that a trained network is kept in: a .keras file whose bytes only the network decides."""

import inspect
import io
import json
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any

import keras

from fashion_mnist.errors import DataError, ParamsError, innermost, shorten

# What Keras raises, by where an archive is damaged.
UNLOADABLE = (AttributeError, EOFError, KeyError, OSError, RuntimeError, TypeError, ValueError, zipfile.BadZipFile)

# What a network's archive holds, and by how much unpacking it may grow: Keras packs without compression.
CONFIG = "config.json"
PARTS = (CONFIG, "metadata.json", "model.weights.h5")
MOST_GROWTH = 10
LONGEST_REASON = 150  # characters of what Keras says
# How a pickle begins, of any protocol since 2.
PICKLE = b"\x80"

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

    name: what an error calls the file. Raises DataError if it is damaged, holds code or more than a network.
    """
    refuse_foreign(archive, name=name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(archive)
        try:
            return keras.models.load_model(path, compile=False, safe_mode=True)
        except UNLOADABLE as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise DataError(f"{name}: does not load ({reason}); expected a .keras file. Train again.") from error


def refuse_unsavable(model: keras.Model, *, name: str) -> None:
    """Raise ParamsError for a network that its own archive would not give back, before hours are spent on it.

    name: what an error calls the network.
    """
    try:
        from_archive(to_archive(model), name="its archive")
    except (DataError, NotImplementedError, *UNLOADABLE) as error:
        reason = shorten(innermost(error), LONGEST_REASON).rstrip(".")
        raise ParamsError(
            f"the network {name} cannot be saved and loaded again: {reason}; expected Keras' own layers"
        ) from error


def refuse_foreign(archive: bytes, *, name: str) -> None:
    """Raise DataError for an archive that no network of Keras's own layers is saved as, before anything of it is used.

    That is a pickle, a file beside the three parts or a part twice, a zip bomb, and code in the configuration.
    """
    if archive.startswith(PICKLE):
        raise DataError(f"{name}: is a pickle, which can run code when it is loaded; expected a .keras file")
    if not zipfile.is_zipfile(io.BytesIO(archive)):
        raise DataError(f"{name}: is not a zip archive; expected a .keras file. Train again.")
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            entries = opened.infolist()
            names = [entry.filename for entry in entries]
            if foreign := [part for part in names if part not in PARTS or names.count(part) > 1]:
                raise DataError(
                    f"{name}: holds {foreign[0]!r}{' twice' if foreign[0] in PARTS else ''}; expected "
                    f"{', '.join(PARTS)} and nothing else"
                )
            unpacked = sum(entry.file_size for entry in entries)
            if unpacked > MOST_GROWTH * len(archive):
                raise DataError(
                    f"{name}: unpacks from {len(archive):,} bytes to {unpacked:,}, a zip bomb; expected at most "
                    f"{MOST_GROWTH} times its size"
                )
            code = next(_foreign_objects(json.loads(opened.read(CONFIG))), None)
    except UNLOADABLE as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"{name}: does not load ({reason}); expected a .keras file. Train again.") from error
    if code:
        raise DataError(f"{name}: {CONFIG} names {code}, which is code; expected only Keras's own layers")


def _foreign_objects(config: Any) -> Iterator[str]:
    """List what a configuration names that runs code of its own: Lambda layers, and all that is not Keras's."""
    if isinstance(config, dict) and isinstance(config.get("class_name"), str):
        module, found = config.get("module"), config["class_name"]
        own = module is None or (isinstance(module, str) and module.split(".")[0] == "keras")
        if not own or "lambda" in found.lower() or found == "function":
            yield f"{module}.{found}" if module else found
    for value in config if isinstance(config, list) else config.values() if isinstance(config, dict) else ():
        yield from _foreign_objects(value)


def canonical_archive(archive: bytes) -> bytes:
    """Rewrite a .keras file so that only the network decides its bytes, and older releases of Keras 3 load it.

    Keras writes the time of saving (in the metadata and in zip headers) and memory addresses (as ids of shared
    objects). Times become constant and ids count from 0 by first appearance. It also writes every argument of a layer,
    which a release that does not know it refuses: those at their default are left out.
    """
    source, target = zipfile.ZipFile(io.BytesIO(archive)), io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as packed:
        for name in sorted(source.namelist()):
            content = source.read(name)
            if name == "metadata.json":
                content = json.dumps(json.loads(content) | {"date_saved": "1980-01-01@00:00:00"}).encode()
            elif name == CONFIG:
                content = json.dumps(_canonical_config(json.loads(content), {})).encode()
            packed.writestr(zipfile.ZipInfo(name, NO_DATE), content)
    return target.getvalue()


def _canonical_config(value: Any, order: dict[int, int]) -> Any:
    """Renumber shared objects and leave out defaults in a configuration; order: the new numbers so far, by id."""
    if isinstance(value, list):
        return [_canonical_config(part, order) for part in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("config"), dict):
        value = value | {"config": _without_defaults(value)}
    return {
        key: order.setdefault(part, len(order)) if key == "shared_object_id" else _canonical_config(part, order)
        for key, part in value.items()
    }


def _without_defaults(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of a layer or another of Keras's objects, without what only says the default.

    described: its class and configuration. Models stay as they are.
    """
    config: dict[str, Any] = described["config"]
    module, name = described.get("module"), described.get("class_name")
    found = getattr(import_module(module), name, None) if module and name else None
    if not inspect.isclass(found) or not hasattr(found, "from_config") or issubclass(found, keras.Model):
        return config
    parameters = inspect.signature(found).parameters
    kept = {
        key: value
        for key, value in config.items()
        if key not in parameters or value != _as_json(parameters[key].default)
    }
    try:
        found.from_config(deepcopy(kept))
    except (KeyError, TypeError, ValueError):  # some read a key although their signature has a default for it
        return config
    return kept


def _as_json(default: Any) -> Any:
    """Return a default as it is read from JSON; what cannot be written there, as it is."""
    return list(default) if isinstance(default, tuple) else default
