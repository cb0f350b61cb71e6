"""Checks option values from a file, an earlier run or Python against the field types of dataclasses."""
import dataclasses
import json
import numbers
import os
import typing

from tf2gan.core.errors import UserError, did_you_mean, flag, unknown

_KINDS = {bool: "true or false", int: "an int", float: "a float", str: "a str"}


def several(option, text, possible) -> tuple:
    """The names in a comma-separated list, each once, in small letters.

    Raises UserError for a name that is not one of `possible`, and for an empty list; `option`: its flag, for messages.
    """
    names = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in possible:
            hint = did_you_mean(name, possible, show=repr)
            raise UserError(f"{option} {text}: {name!r} is none; {hint}possible: one or more of {','.join(possible)}")
    if not names:
        raise UserError(f"{option}: is empty; possible: one or more of {','.join(possible)}")
    return names


def typed(classes, values: dict, source=None) -> dict:
    """Converts `values`, {field name: value}, to the types of these fields in the dataclasses `classes`.

    Takes an int for a float or for a str (such as an image size), and a path for a str. `source`: the file of the
    values, for messages. Raises UserError for a name that no class has, and for a value of another type.
    """
    where = f"{source}: " if source is not None else ""
    fields = {field.name: field for cls in classes for field in dataclasses.fields(cls)}
    found = {}
    for name, value in values.items():
        if name not in fields:
            raise UserError(f"{where}{unknown('option', str(name), fields)}")
        try:
            found[name] = _converted(fields[name].type, value)
        except _Refused as error:
            raise UserError(f"{where}{flag(name)}{error}") from None
    return found


class _Refused(Exception):
    """The end of an error message that begins with the option."""


def _converted(kind, value):
    optional = typing.get_origin(kind) is typing.Union and type(None) in typing.get_args(kind)
    if optional:
        if value is None:
            return None
        kind, = (part for part in typing.get_args(kind) if part is not type(None))
    if typing.get_origin(kind) is typing.Literal:
        possible = typing.get_args(kind)
        if value not in possible:
            raise _Refused(f" {value}: {did_you_mean(str(value), possible)}possible: {', '.join(possible)}"
                           + (", none" if optional else ""))
        return value
    if isinstance(value, os.PathLike) and kind is str:
        return os.fspath(value)
    if not isinstance(value, bool):  # bool is an int in Python; numpy's numbers pass too
        if isinstance(value, numbers.Integral) and kind in (int, float, str):
            return kind(value)
        if isinstance(value, numbers.Real) and kind is float:
            return float(value)
        if isinstance(value, kind) and kind is not int:
            return value
    elif kind is bool:
        return value
    try:
        text = value if isinstance(value, str) else json.dumps(value)
    except TypeError:  # a Python object that JSON does not know
        text = repr(value)
    if value is None or isinstance(value, (list, dict)):
        raise _Refused(f": {text} is not possible; needed: {_KINDS[kind]}")
    raise _Refused(f" {text}: must be {_KINDS[kind]}" + (" or null" if optional else ""))
