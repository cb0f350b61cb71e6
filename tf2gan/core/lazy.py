"""TensorFlow, imported when it is first used.

For the few modules that are needed before any network: --help lists the losses, and should not take seconds.
Everything else imports TensorFlow as usual.
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
