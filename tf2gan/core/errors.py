"""Errors that one clear line explains: bad input (exit code 2) and failures of the work (exit code 1)."""
import difflib
import os
import re
from typing import Iterable

_LONGEST_REASON = 160  # characters; TensorFlow's own messages can fill a screen


class UserError(Exception):
    """Something that the user typed, or a file that was read, cannot be used.

    The message is one line that says what, where and what is possible. The tools print it to stderr and exit with
    code 2; any exception other than this and Failure is a bug.
    """


class Failure(Exception):
    """The work itself failed, for a reason that fits in one line. The tools print it to stderr and exit with code 1."""


def reason(error) -> str:
    """The cause of an error in one line, without the page that TensorFlow writes around it."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror + (f": {printable(os.fsdecode(error.filename))}" if error.filename else "")
    text = str(error)
    if "No space left on device" in text:  # the path before it may be longer than a line
        found = re.search(r"(/\S*?)(/\.writing-\S*)?; No space left on device", text)
        return f"No space left on device{': ' + found.group(1) if found else ''}"
    for kind in ("UnreadableImage: ", "OSError: "):  # raised in Python code that a graph calls
        if f"\n{kind}" in f"\n{text}" or f".{kind}" in text or f": {kind}" in text:
            return text[text.index(kind) + len(kind):].splitlines()[0].strip()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # If a graph fails while it runs, the cause stands after a list of places and before the name of the node.
    nodes = [number for number, line in enumerate(lines) if line.startswith("[[{{") and number]
    found = lines[nodes[0] - 1] if nodes else lines[0] if lines else ""
    found = re.sub(r"^\{\{.*?\}\} ", "", found)  # the operation that failed
    return f"{type(error).__name__}: {found[:_LONGEST_REASON]}{'...' if len(found) > _LONGEST_REASON else ''}"


def printable(path) -> str:
    """The path for a one-line message: quoted and escaped if it has line breaks or bytes that are not text."""
    return str(path) if str(path).isprintable() else repr(str(path))


def unknown(what: str, name: str, possible: Iterable[str]) -> UserError:
    """The error for a name that is not one of `possible`; suggests the nearest one if any is near."""
    possible = sorted(possible)
    hint = did_you_mean(name, possible, show=repr)
    return UserError(f"unknown {what} {name!r}: {hint}possible: {', '.join(possible)}")


def did_you_mean(name: str, possible: Iterable[str], cutoff=0.5, show=str) -> str:
    """"did you mean X? " with the nearest of `possible`; empty if no similarity reaches `cutoff` (0 to 1)."""
    by_lower_case = {other.lower(): other for other in possible}
    near = difflib.get_close_matches(name.lower(), by_lower_case, n=1, cutoff=cutoff)
    return f"did you mean {show(by_lower_case[near[0]])}? " if near else ""


def flag(field_name: str) -> str:
    """The flag of a field: cycle_weight -> --cycle-weight."""
    return "--" + field_name.replace("_", "-")
