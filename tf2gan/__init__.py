"""GANs in TensorFlow 2: learn them, train them, ship them.

    import tf2gan

    run = tf2gan.train("dcgan", "mnist", steps=2000)
    run.grid()

Everything is imported when it is first used, and TensorFlow with it.
"""
import importlib
import os
from typing import TYPE_CHECKING

from tf2gan._version import __version__
from tf2gan.core import quiet as _quiet

if TYPE_CHECKING:
    from tf2gan.api.compare import compare
    from tf2gan.api.convert import convert
    from tf2gan.api.evaluate import evaluate, evaluate_export
    from tf2gan.api.model import Model, load
    from tf2gan.api.run import Run
    from tf2gan.api.train import dry_run, register, train
    from tf2gan.api.walk import interpolate
    from tf2gan.core.errors import Failure, UserError

_FACE = {"train": "api.train", "dry_run": "api.train", "register": "api.train", "Run": "api.run", "load": "api.model",
         "Model": "api.model", "evaluate": "api.evaluate", "evaluate_export": "api.evaluate",
         "interpolate": "api.walk", "compare": "api.compare", "convert": "api.convert",
         "UserError": "core.errors", "Failure": "core.errors"}

__all__ = ["Failure", "Model", "Run", "UserError", "__version__", "compare", "convert", "dry_run", "evaluate",
           "evaluate_export", "interpolate", "load", "register", "train"]

_quiet.install()
# A GPU is shared: TensorFlow would take all of its memory at its first use. Whoever wants that sets it to false.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


def __getattr__(name):
    if name not in _FACE:
        raise AttributeError(f"module 'tf2gan' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(importlib.import_module(f"tf2gan.{_FACE[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return [*globals(), *_FACE]
