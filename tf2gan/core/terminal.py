"""Prints to the user's terminal, whatever happens to it: a terminal that is gone costs no work."""
import contextlib
import os
import sys


class Stderr:
    """A stream for lines on stderr. Its `write` and `flush` never raise because of the terminal."""

    def write(self, text):
        _write(sys.stderr, text)

    def flush(self):
        _write(sys.stderr, "")

    def isatty(self) -> bool:
        return is_terminal()

    @property
    def encoding(self):
        return getattr(sys.stderr, "encoding", None)

    def fileno(self) -> int:
        return sys.stderr.fileno()


def is_terminal() -> bool:
    """Whether stderr is a terminal, which can show a progress bar."""
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError, OSError):  # there is none, or it is closed
        return False


def say(text):
    """Prints a line to stderr: progress, warnings, errors. Never raises because of the terminal."""
    _write(sys.stderr, f"{text}\n")


def tell(text):
    """Prints a result to stdout; where nobody reads that any more, to stderr. Never raises because of the terminal."""
    if not _write(sys.stdout, f"{text}\n"):
        say(text)


def _write(stream, text) -> bool:
    """Whether `stream` took the text. Characters that its encoding lacks are escaped."""
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            encoding = stream.encoding or "ascii"
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
        return True
    except (OSError, ValueError, AttributeError):  # the reader has left, the terminal was closed, or there is none
        discard(stream)
        return False


def discard(stream):
    """Sends all that will still be written to a broken stream nowhere.

    Otherwise what its buffer holds would raise again, in the next write of anybody, and when the process ends.
    """
    with contextlib.suppress(Exception):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)
        stream.flush()
