"""Loads methods from the user's own files: --plugin FILE, of every command."""
import importlib.util
import os
import sys

from tf2gan.core.errors import UserError, printable


def load(argv) -> list:
    """Runs the files given by --plugin in `argv`, which register their methods; returns their absolute paths.

    A file runs once per process. Raises UserError for a file that is missing or fails.
    """
    paths = []
    for position, word in enumerate(argv):
        name, equals, value = word.partition("=")
        if name != "--plugin":
            continue
        value = value if equals else argv[position + 1] if position + 1 < len(argv) else ""
        path = os.path.abspath(os.path.expanduser(value))
        if not value or not os.path.isfile(path):
            raise UserError(f"--plugin {printable(value)}: no such file; needed: a Python file that calls "
                            "tf2gan.register")
        _run(path)
        paths.append(path)
    return paths


def _run(path):
    module_name = f"tf2gan_plugin_{os.path.splitext(os.path.basename(path))[0]}"
    if getattr(sys.modules.get(module_name), "__file__", None) == path:
        return
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None:
        raise UserError(f"--plugin {printable(path)}: is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except UserError:
        del sys.modules[module_name]
        raise
    except Exception as error:  # a user's file may raise anything
        del sys.modules[module_name]
        line = (str(error).strip().splitlines() or [""])[0]
        raise UserError(f"--plugin {printable(path)}: {type(error).__name__}: {line}") from error
