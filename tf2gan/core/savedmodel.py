"""Finding and loading SavedModels: a folder that is none, or is damaged, gets one clear line."""
import os
import pathlib
import sys

import tensorflow as tf

from tf2gan.core import quiet
from tf2gan.core.errors import UserError
from tf2gan.core.images import printable

_LONGEST_REASON = 160  # characters; TensorFlow's own messages can fill a screen


def versions(directory):
    """{number: pathlib.Path} of what TensorFlow Serving takes for versions of the model in `directory`.

    Whatever has a number for a name counts, folder or not, complete or not: that name is taken.
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
    # No falling back to an older version if the newest is incomplete: the user would not know which one answered.
    newest = numbered[max(numbered)] if numbered else path
    if not _has_graph(newest):
        raise UserError(f"{printable(newest)} is not a SavedModel: it has no saved_model.pb")
    return newest


def _has_graph(folder):
    return any((folder / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt"))


def load(path, needed=(), tags=None):
    """What tf.saved_model.load makes of the SavedModel at `path` (see `find`).

    Args:
        path: savedmodels/NAME, of which the highest version is taken, or savedmodels/NAME/VERSION.
        needed: names of signatures that the model must have.
        tags: of the graph among several; None: there is only one.

    Raises UserError if there is no SavedModel, if it is damaged, or if it lacks a signature of `needed`.
    """
    folder = find(path)
    try:
        # What TensorFlow logs is dropped if this fails: the same error several times, over many lines.
        with quiet.captured() as logged:
            loaded = tf.saved_model.load(os.fspath(folder), tags)
            _check_fingerprint(folder)
    except Exception as error:  # depending on what is damaged: OpError, OSError, IndexError, KeyError, DecodeError ...
        raise UserError(f"cannot load the SavedModel {printable(folder)}, is it complete? {reason(error)}") from error
    print("".join(f"{line}\n" for line in logged), end="", file=sys.stderr)
    present = sorted(getattr(loaded, "signatures", {}))
    missing = [name for name in needed if name not in present]
    if missing:
        raise UserError(f"the SavedModel {printable(folder)} has no signature {', '.join(missing)}; "
                        f"it has: {', '.join(present) or 'none'}")
    return loaded


def _check_fingerprint(folder):
    """TensorFlow passes over a damaged fingerprint in silence; but then the copy is not complete."""
    if not (folder / "fingerprint.pb").is_file():
        return  # written by a TensorFlow older than 2.12
    fingerprint = tf.saved_model.experimental.read_fingerprint(os.fspath(folder))
    if not (fingerprint.saved_model_checksum and fingerprint.version):
        raise ValueError("fingerprint.pb is cut short")


def reason(error):
    """What is wrong, in one line, of what TensorFlow raises."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # Of a graph that fails in its run, the reason follows a list of places, and stands before the name of the node.
    nodes = [number for number, line in enumerate(lines) if line.startswith("[[{{") and number]
    found = lines[nodes[0] - 1] if nodes else lines[0] if lines else ""
    return f"{type(error).__name__}: {found[:_LONGEST_REASON]}{'...' if len(found) > _LONGEST_REASON else ''}"
