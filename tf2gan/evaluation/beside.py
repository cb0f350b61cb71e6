"""Figures of a second evaluation beside those of the first: by another extractor, or of metrics that took longer."""
import json

from tf2gan.core.errors import UserError, printable
from tf2gan.evaluation import results
from tf2gan.runs import restore, run_folder

_SAME = ("source", "images_seen", "weights", "dataset", "split")  # of two protocols whose figures belong together


def last(path, checkpoint, weights) -> dict:
    """The record of the last evaluation of the run at `path`.

    Raises UserError if there is none, if it is damaged, or if it was not of these weights of this checkpoint.
    """
    run = run_folder.Run(path)
    try:
        record = json.loads(run.evaluation_file.read_text(encoding="utf-8"))
        there = record["protocol"]["images_seen"], record["protocol"]["weights"]
        record["figures"]
    except FileNotFoundError:
        raise UserError(f"--add: {printable(path)} has not been evaluated yet; possible: without --add") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"--add: {printable(run.evaluation_file)} is damaged: {error}; possible: without "
                        "--add") from error
    asked = restore.chosen_checkpoint(run, checkpoint).info["images"], weights
    if there != asked:
        raise UserError(f"--add: the last evaluation of {printable(path)} was after {there[0]} images, of {there[1]} "
                        f"weights, and asked is after {asked[0]}, of {asked[1]}; possible: without --add")
    return record


def joined(first, second) -> dict:
    """The record with the figures of both; of what both have, those of `second`.

    Where protocols differ, that of the first is kept under its own name, and that of the second is in "added".
    Raises UserError for evaluations against other images.
    """
    for name in _SAME:
        if first["protocol"].get(name) != second["protocol"].get(name):
            raise UserError(f"--add: the last evaluation has {name} {first['protocol'].get(name)!r}, this one "
                            f"{second['protocol'].get(name)!r}; nothing was added")
    added = {figure["name"] for figure in second["figures"]}
    figures = [figure for figure in first["figures"] if figure["name"] not in added] + second["figures"]
    own = {name: value for name, value in second["protocol"].items() if first["protocol"].get(name) != value}
    protocol = {**first["protocol"], "added": [*first["protocol"].get("added", []), *([own] if own else [])]}
    result = {**first, **second, "protocol": protocol, "figures": figures}
    return {**result, "table": results.table(result)}
