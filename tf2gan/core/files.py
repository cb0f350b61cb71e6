"""Files that are whole or absent, whatever ends the writer, and folders that are asked first if they can be written."""
import contextlib
import os
import pathlib
import tempfile
import uuid

from tf2gan.core.errors import UserError, printable


def write_atomically(path, content, durable=True):
    """Writes `content`, str or bytes, to `path`, so that nobody ever sees half of it; folders are made as needed.

    It is written beside `path` as `.NAME.HEX.tmp` and renamed; a kill can leave that file. `durable` waits for the
    disk, for what must survive a power failure too. Raises OSError; `path` is then as it was.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(temporary, "wb") as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):  # there only if something failed, and that is the error to tell
            temporary.unlink()


def sync(path):
    """Waits until the file or folder at `path` is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def nearest_existing(folder):
    """`folder` or the nearest folder around it that exists, a pathlib.Path."""
    folder = pathlib.Path(folder)
    return next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))


def check_writable(folder):
    """Raises UserError unless files can be made in `folder`, which need not exist yet. Leaves nothing behind."""
    existing = nearest_existing(folder)
    if not existing.is_dir():
        raise UserError(f"cannot write to {printable(folder)}: {printable(existing)} is not a folder")
    try:
        tempfile.TemporaryFile(dir=existing).close()  # tried, since permissions do not tell all, to root nothing
    except OSError as error:
        raise UserError(f"cannot write to {printable(existing)}: {error.strerror}") from error
