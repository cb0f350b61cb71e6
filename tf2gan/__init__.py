"""GANs in TensorFlow 2: learn them, train them, ship them."""
from tf2gan._version import __version__  # noqa: F401
from tf2gan.core import quiet as _quiet

_quiet.install()
