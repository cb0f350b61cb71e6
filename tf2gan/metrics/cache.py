"""What takes long to make, kept between runs: folders, whole or absent, each under the hash of what it is of."""
import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import uuid
import zipfile
import zlib

from tf2gan.core import files
from tf2gan.core.errors import UserError, printable

_ELSEWHERE = "TF2GAN_CACHE_DIR names another folder for the cache"


def entry(kind, label, identity, cache_dir=None) -> pathlib.Path:
    """The folder KIND/LABEL-HASH of an entry, whether it is there or not.

    Args:
        kind: "classifiers", "features".
        label: of which the last part is used, for people; a folder's path will do.
        identity: JSON-able; the hash is that of all of it.
        cache_dir: default TF2GAN_CACHE_DIR, or ~/.cache/tf2gan.
    """
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    cache = pathlib.Path(cache_dir or os.environ.get("TF2GAN_CACHE_DIR") or "~/.cache/tf2gan").expanduser()
    return cache / kind / f"{slug(label)}-{digest[:12]}"


def slug(label):
    """The last part of a name or path, with nothing in it that a file's name should not have."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", pathlib.PurePath(label).name)


def check_writable(folder):
    """Raises UserError unless the entry `folder` can be made: to be asked before the work that fills it."""
    try:
        files.check_writable(folder.parent)
    except UserError as error:
        raise UserError(f"{error}; {_ELSEWHERE}") from error


def write(folder, contents):
    """Makes `folder` with {name of a file: str or bytes}, whole or not at all. UserError if that fails.

    Where another process was faster, its entry stays: read it, as every later use will.
    """
    temporary = folder.parent / f".writing-{uuid.uuid4().hex}"
    try:
        for name, content in contents.items():
            files.write_atomically(temporary / name, content)
        os.replace(temporary, folder)
    except OSError as error:
        if not folder.is_dir():
            raise UserError(f"cannot write {printable(folder)}: {error.strerror}; {_ELSEWHERE}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # there only if something failed, or another was faster


@contextlib.contextmanager
def reading(folder, what, remedy):
    """Turns what reading a damaged entry raises into one UserError: `what` FOLDER is damaged, remove it to `remedy`."""
    try:
        yield
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{what} {printable(folder)} is damaged: {reason}; remove it to {remedy}") from error
