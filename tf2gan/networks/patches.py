"""Vectors of single places of feature maps, for contrastive losses (Park et al. 2020, arXiv 2007.15651, sec. 3)."""
import tensorflow as tf

from tf2gan.networks.layers import Dense
from tf2gan.networks.unet import initial_weights


class PatchVectors(tf.keras.Model):
    """Two dense layers for each of several maps, applied at chosen places; vectors have length 1.

    Maps, a list of [batch, height, width, channels], and places, as many lists of indices of pixels, row by row, int32
    [num], to as many float32 vectors [batch, num, size].
    """

    def __init__(self, num_maps=5, size=256, name="patches"):
        super().__init__(name=name, dtype="float32")
        self.hidden, self.to_vectors = (
            [Dense(size, activation=activation, kernel_initializer=initial_weights(), name=f"{kind}_{i}")
             for i in range(num_maps)] for kind, activation in (("hidden", "relu"), ("to_vectors", None)))

    def call(self, maps, places):
        return [self._vectors(*parts) for parts in zip(maps, places, self.hidden, self.to_vectors)]

    @staticmethod
    def _vectors(features, places, hidden, to_vectors):
        batch, height, width = tf.unstack(tf.shape(features)[:3])
        flat = tf.reshape(features, [batch, height * width, features.shape[-1]])
        chosen = tf.gather(flat, places, axis=1)
        vectors = to_vectors(hidden(tf.reshape(chosen, [-1, features.shape[-1]])))
        # The least value bounds the squared length. Fresh weights of 0.02 make short vectors, of length 1e-4 or so.
        vectors = tf.math.l2_normalize(tf.cast(vectors, tf.float32), axis=-1, epsilon=1e-14)
        return tf.reshape(vectors, [batch, -1, vectors.shape[-1]])
