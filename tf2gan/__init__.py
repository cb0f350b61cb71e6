"""GANs in TensorFlow 2: learn them, train them, ship them."""
from tf2gan import _quiet
from tf2gan._version import __version__  # noqa: F401

with _quiet.without_chatter():  # the first import of TensorFlow in any program that uses this package
    import tensorflow as _tf

    _tf.config.list_physical_devices()
