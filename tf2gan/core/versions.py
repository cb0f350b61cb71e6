"""Versions of the software that the numbers of a run depend on."""
import importlib.metadata
import platform

from tf2gan._version import __version__


def versions() -> dict:
    """{name: version} of the software that the numbers of a run depend on."""
    return {"tf2gan": __version__, "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("tensorflow", "keras", "numpy")}}
