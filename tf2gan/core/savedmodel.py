"""Finds and loads SavedModels; one clear line reports a folder that is not one or is damaged."""
import os
import pathlib

import tensorflow as tf

from tf2gan.core import files, quiet, terminal
from tf2gan.core.errors import UserError, printable, reason


def versions(directory):
    """{number: pathlib.Path} of what TensorFlow Serving takes for versions of the model in `directory`.

    Every entry named by a number counts, folder or not, complete or not: that name is in use.
    """
    return {int(path.name): path for path in pathlib.Path(directory).glob("*")
            if path.name.isascii() and path.name.isdecimal()}


def find(path):
    """The folder of the SavedModel at `path`: `path` itself, or its highest version (path/1, path/2, ...).

    Raises UserError if there is neither.
    """
    path = pathlib.Path(path)
    if not path.is_dir():
        problem = "is not a folder" if os.path.lexists(path) else "does not exist"
        raise UserError(f"{printable(path)} {problem}; needed: the folder of a SavedModel or of its versions")
    if _has_graph(path):
        return path
    numbered = versions(path)
    # Does not fall back to an older version if the newest is incomplete: the user would not know which one ran.
    newest = numbered[max(numbered)] if numbered else path
    if not _has_graph(newest):
        raise UserError(f"{printable(newest)} is not a SavedModel: it has no saved_model.pb")
    return newest


def _has_graph(folder):
    return any((folder / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt"))


def load(path, needed=(), tags=None):
    """Loads the SavedModel at `path` (see `find`) with tf.saved_model.load.

    Args:
        path: savedmodels/NAME, for its highest version, or savedmodels/NAME/VERSION.
        needed: names of signatures that the model must have.
        tags: select one of several graphs; None: there is only one.

    Raises UserError if there is no SavedModel, if it is damaged, or if it lacks a signature of `needed`.
    """
    folder = find(path)
    try:
        # If loading fails, what TensorFlow logs is dropped: it repeats the error over many lines.
        with quiet.captured() as logged, files.plainly_named(folder) as place:
            loaded = tf.saved_model.load(os.fspath(place), tags)
            _check_fingerprint(place)
    except Exception as error:  # depending on what is damaged: OpError, OSError, IndexError, KeyError, DecodeError ...
        raise UserError(f"cannot load the SavedModel {printable(folder)}, is it complete? {reason(error)}") from error
    if logged:
        terminal.say("\n".join(logged))
    present = sorted(getattr(loaded, "signatures", {}))
    missing = [name for name in needed if name not in present]
    if missing:
        raise UserError(f"the SavedModel {printable(folder)} has no signature {', '.join(missing)}; "
                        f"it has: {', '.join(present) or 'none'}")
    return loaded


def _check_fingerprint(folder):
    """Raises ValueError for a damaged fingerprint: TensorFlow ignores it, but the copy is then incomplete."""
    if not (folder / "fingerprint.pb").is_file():
        return  # written by a TensorFlow older than 2.12
    fingerprint = tf.saved_model.experimental.read_fingerprint(os.fspath(folder))
    if not (fingerprint.saved_model_checksum and fingerprint.version):
        raise ValueError("fingerprint.pb is cut short")
