"""TensorFlow, imported when it is first used.

For the few modules whose names are needed before any network is: the losses, which --help lists, need not keep anybody
waiting for seconds. Everything else imports TensorFlow as usual.
"""
from typing import TYPE_CHECKING


class _TensorFlow:
    def __getattr__(self, name):
        import tensorflow

        return getattr(tensorflow, name)


if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = _TensorFlow()
