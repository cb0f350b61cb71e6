"""What was found in image files, so that the next run does not decode all of them before its first step.

A file is known again by its path, size and time of change, and by the version of Pillow that read it. What cannot be
read is not remembered. Without a place to keep it, all works as before, and says so.
"""
import contextlib
import os
import sqlite3
import time

import PIL

from tf2gan.core import cache_folder, terminal
from tf2gan.core.errors import printable, reason

FILE = "images.sqlite3"  # in the cache folder
_AT_ONCE = 500  # paths of one question: SQLite has a limit
_SETTLED = 2.0  # seconds since a change: one that follows at once may leave size and time as they are
_TABLE = ("CREATE TABLE IF NOT EXISTS images (path BLOB PRIMARY KEY, size INTEGER, changed INTEGER, reader TEXT, "
          "height INTEGER, width INTEGER, channels INTEGER) WITHOUT ROWID")


def marks(paths) -> dict:
    """{path: (size in bytes, time of change in nanoseconds)} of the files that are there."""
    found = {}
    for path in paths:
        with contextlib.suppress(OSError):  # reading it will say what is wrong
            status = os.stat(path)
            found[path] = status.st_size, status.st_mtime_ns
    return found


def recall(marked) -> dict:
    """{path: (height, width, channels)} of those of `marks` that are known and have not changed."""
    keys, found = {_key(path): path for path in marked}, {}
    with _database() as database:
        if database is None:
            return {}
        names = list(keys)
        for start in range(0, len(names), _AT_ONCE):
            part = names[start:start + _AT_ONCE]
            for key, size, changed, *shape in database.execute(
                    f"SELECT path, size, changed, height, width, channels FROM images WHERE reader = ? AND path IN "
                    f"({','.join('?' * len(part))})", [PIL.__version__, *part]):
                if marked[keys[key]] == (size, changed):
                    found[keys[key]] = tuple(shape)
    return found


def remember(marked, shapes):
    """Keeps `shapes`, {path: (height, width, channels)}, of files with these `marks`, which were read before them."""
    settled = time.time_ns() - int(1e9 * _SETTLED)
    rows = [(_key(path), *marked[path], PIL.__version__, *shape) for path, shape in shapes.items()
            if path in marked and marked[path][1] < settled]
    if not rows:
        return
    with _database() as database:
        if database is not None:
            database.executemany("INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


@contextlib.contextmanager
def _database():
    """A connection whose changes are kept at the end; None if there can be none, which is said."""
    place, connection = cache_folder.path() / FILE, None
    try:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(place, timeout=30.0)
            connection.execute(_TABLE)
        except (OSError, sqlite3.Error) as error:
            terminal.say(f"{printable(place)}: what is known of image files cannot be kept there ({reason(error)}); "
                         "all of them are read")
            yield None
            return
        with connection:
            yield connection
    except sqlite3.Error as error:
        terminal.say(f"{printable(place)}: is damaged or in use ({reason(error)}); remove it to have images remembered")
    finally:
        if connection is not None:
            connection.close()


def _key(path):
    return os.fsencode(os.path.abspath(path))
