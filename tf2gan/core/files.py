"""Writes files atomically, and checks in advance that folders are writable."""
import collections.abc
import contextlib
import os
import pathlib
import re
import tempfile
import uuid

from tf2gan.core.errors import UserError, printable

_ODD = re.compile(r"[\[\]*?\\]|[\ud800-\udfff]")


def write_atomically(path, content, durable=True):
    """Writes `content`, str, bytes or an iterator of str, to `path`, so that nobody ever sees half of it.

    Creates folders as needed.

    It writes `.NAME.HEX.tmp` beside `path` and renames it; a killed process can leave that file behind. `durable` waits
    for the disk, so that the file survives a power failure. Raises OSError; `path` is then unchanged.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(temporary, "wb") as file:
            for part in content if isinstance(content, collections.abc.Iterator) else [content]:
                file.write(part.encode("utf-8") if isinstance(part, str) else part)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):  # it exists only after a failure, and that is the error to report
            temporary.unlink()


def is_odd(path) -> bool:
    """Whether TensorFlow cannot read files at `path`, since it takes a character for a pattern, or bytes are no text.
    """
    return bool(_ODD.search(str(path)))


@contextlib.contextmanager
def plainly_named(folder):
    """A pathlib.Path to `folder`, which exists, without characters that TensorFlow takes for a pattern or cannot read.

    TensorFlow expands [, ], *, ? and a backslash in the names of the files that it restores, and takes no bytes that
    are not text. Such folders get another name for the length of the `with` block: a link in a temporary folder.
    """
    folder = pathlib.Path(folder).absolute()
    if not is_odd(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory() as place:
        link = pathlib.Path(place, "folder")
        link.symlink_to(folder, target_is_directory=True)
        yield link


def sync(path):
    """Waits until the file or folder at `path` is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def nearest_existing(folder):
    """`folder` or its nearest parent that exists, a pathlib.Path."""
    folder = pathlib.Path(folder)
    return next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))


def check_outside(output, data, what):
    """Raises UserError if `output`, to be written, lies in the folder `data`: images there would count as data next.

    `data`: a folder that is read, or whatever else a data set is called by; `what`: the flag or name of the output.
    """
    if not os.path.isdir(data):
        return
    outside = os.path.realpath(output)
    if os.path.realpath(data) in (outside, *map(str, pathlib.Path(outside).parents)):
        raise UserError(f"{what} {printable(output)} lies in the folder of the data, {printable(data)}, and would be "
                        "read as data next time; choose a folder outside of it")


def check_writable(folder):
    """Raises UserError unless files can be created in `folder`, which need not exist yet. Leaves nothing behind."""
    existing = nearest_existing(folder)
    if not existing.is_dir():
        raise UserError(f"cannot write to {printable(folder)}: {printable(existing)} is not a folder")
    try:
        tempfile.TemporaryFile(dir=existing).close()  # permission bits do not tell all, and root ignores them
    except OSError as error:
        raise UserError(f"cannot write to {printable(existing)}: {error.strerror}") from error
