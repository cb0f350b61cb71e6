"""A cache of results that take long to compute: folders, complete or absent, each named by the hash of its identity."""
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

from tf2gan.core import cache_folder, files
from tf2gan.core.errors import UserError, printable

_ELSEWHERE = "TF2GAN_CACHE_DIR names another folder for the cache"


def entry(kind, label, identity, cache_dir=None) -> pathlib.Path:
    """The folder KIND/LABEL-HASH of an entry, whether it exists or not.

    Args:
        kind: "classifiers", "features".
        label: name or path for people to recognize the entry by; only its last part is used.
        identity: JSON-able; the hash covers all of it.
        cache_dir: default TF2GAN_CACHE_DIR, or ~/.cache/tf2gan.
    """
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    cache = pathlib.Path(cache_dir).expanduser() if cache_dir else cache_folder.path()
    return cache / kind / f"{slug(label)}-{digest[:12]}"


def slug(label):
    """The last part of a name or path, without characters that are unsuitable for file names."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", pathlib.PurePath(label).name)


def check_writable(folder):
    """Raises UserError unless the entry `folder` can be created. To be called before the work that fills it."""
    try:
        files.check_writable(folder.parent)
    except UserError as error:
        raise UserError(f"{error}; {_ELSEWHERE}") from error


def write(folder, contents):
    """Creates `folder` with {file name: str or bytes}, completely or not at all. Raises UserError if that fails.

    If another process was faster, its entry stays: read that one, as every later use will.
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
        shutil.rmtree(temporary, ignore_errors=True)  # exists only if something failed, or another process was faster


@contextlib.contextmanager
def reading(folder, what, remedy):
    """Turns errors from reading a damaged entry into a UserError: `what` FOLDER is damaged; remove it to `remedy`."""
    try:
        yield
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{what} {printable(folder)} is damaged: {reason}; remove it to {remedy}") from error
