"""Packages that only some uses need: the extras of the installation."""
import importlib

from tf2gan.core.errors import UserError

PACKAGES = {"onnx": ("tf2onnx", "onnx", "onnxruntime"), "serve": ("starlette", "uvicorn", "orjson")}  # as in setup.cfg


def check(extra, wanted_by=None):
    """Raises UserError if a package of an extra cannot be imported. `wanted_by`: the option that needs it, if any."""
    for name in PACKAGES[extra]:
        try:
            importlib.import_module(name)
        except ImportError as error:
            where = "" if wanted_by is None else f"{wanted_by}: "
            raise UserError(f"{where}needs the package {name} ({error}): pip install 'tf2gan[{extra}]'") from error
