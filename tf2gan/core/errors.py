"""Bad input: one clear line, exit code 2."""
import difflib
from typing import Iterable


class UserError(Exception):
    """Something the user typed, or gave us to read, cannot be used.

    The message is one line that says what, where and what is possible. The tools print it to stderr and exit with
    code 2; anything else that is raised is a failure of our own.
    """


class Failure(Exception):
    """The work itself failed, in a way that one line explains. The tools print it to stderr and exit with code 1."""


def printable(path) -> str:
    """The path for a message of one line: quoted with escapes if it holds line breaks or bytes that are no text."""
    return str(path) if str(path).isprintable() else repr(str(path))


def unknown(what: str, name: str, possible: Iterable[str]) -> UserError:
    """The error for a name that is not one of `possible`, with the nearest one if any is near."""
    possible = sorted(possible)
    hint = did_you_mean(name, possible, show=repr)
    return UserError(f"unknown {what} {name!r}: {hint}possible: {', '.join(possible)}")


def did_you_mean(name: str, possible: Iterable[str], cutoff=0.5, show=str) -> str:
    """"did you mean X? " with the nearest of `possible`, or nothing if none is as near as `cutoff` (0 to 1)."""
    by_lower_case = {other.lower(): other for other in possible}
    near = difflib.get_close_matches(name.lower(), by_lower_case, n=1, cutoff=cutoff)
    return f"did you mean {show(by_lower_case[near[0]])}? " if near else ""


def flag(field_name: str) -> str:
    """The flag of a field: cycle_weight -> --cycle-weight."""
    return "--" + field_name.replace("_", "-")
