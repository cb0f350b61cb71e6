"""Class-conditional networks: an embedding of the label joins the latents or the image (Mirza 2014)."""
import tensorflow as tf

from tf2gan.core.seeds import fold
from tf2gan.networks.dcgan import norm_layers
from tf2gan.networks.layers import Conv2D, Conv2DTranspose, Dense, Dropout, batch_normalization

SLOPE = 0.01


class ConditionalGenerator(tf.keras.Model):
    """Latents [batch, latent_size] and labels, int [batch], to images [batch, *image_shape] in [-1, 1].

    `image_shape`: (height, width, channels); height and width are equal and a multiple of 4. The latents are multiplied
    elementwise by the label's embedding. `num_classes` None: no labels. `filters`: channels before the image.
    """

    size_multiple = 4
    size_minimum = 8

    def __init__(self, image_shape, latent_size, num_classes, filters=64, dropout=0.0, name="generator"):
        super().__init__(name=name, dtype="float32")
        start = image_shape[0] // 4
        if num_classes is not None:
            self.embedding = tf.keras.layers.Embedding(num_classes, latent_size, name="embedding")
        self.dense = Dense(4 * filters * start * start, name="dense")
        self.reshape = tf.keras.layers.Reshape([start, start, 4 * filters], name="reshape")
        self.convolutions = [
            Conv2DTranspose(width, 3, stride, padding="same", name=f"conv_{i}")
            for i, (width, stride) in enumerate([(2 * filters, 2), (filters, 1)])]
        self.norms = [batch_normalization(name=f"norm_{i}") for i in range(2)]
        self.leaky_relu = tf.keras.layers.LeakyReLU(SLOPE, name="leaky_relu")
        self.dropout = Dropout(dropout, name="dropout")
        self.to_image = Conv2DTranspose(image_shape[-1], 3, 2, padding="same", dtype="float32", name="to_image")

    def call(self, latents, labels=None, training=False, seed=None):
        """`seed` (int tensor [2]) is needed only for dropout in training."""
        if labels is not None:
            embedded = self.embedding(labels)
            latents = tf.cast(latents, embedded.dtype) * embedded
        x = self.reshape(self.dense(latents))
        for i, (conv, norm) in enumerate(zip(self.convolutions, self.norms)):
            x = self.leaky_relu(norm(conv(x), training=training))
            x = self.dropout(x, training=training, seed=None if seed is None else fold(seed, i))
        return tf.tanh(self.to_image(x))


class ConditionalDiscriminator(tf.keras.Model):
    """Images [batch, height, width, channels] in [-1, 1] and labels, int [batch], to logits [batch, 1].

    The label's embedding becomes one more channel of the image. `filters`: channels of the first two of three
    convolutions; the third has twice as many. `normalization`: "batch", "layer" or None, after the second and third.
    """

    normalized = (1, 2)  # indices of the normalized convolutions

    def __init__(self, image_shape, num_classes, filters=64, dropout=0.0, normalization="batch", name="discriminator"):
        super().__init__(name=name, dtype="float32")
        height, width = image_shape[:2]
        self.embedding = tf.keras.layers.Embedding(num_classes, height * width, name="embedding")
        self.to_plane = tf.keras.layers.Reshape([height, width, 1], name="to_plane")
        self.convolutions = [Conv2D(width, 3, 2, padding="same", name=f"conv_{i}")
                             for i, width in enumerate((filters, filters, 2 * filters))]
        self.norms = norm_layers(normalization, 0.99, self.normalized)
        self.leaky_relu = tf.keras.layers.LeakyReLU(SLOPE, name="leaky_relu")
        self.dropout = Dropout(dropout, name="dropout")
        self.flatten = tf.keras.layers.Flatten(name="flatten")
        self.to_logit = Dense(1, dtype="float32", name="to_logit")

    def call(self, images, labels, training=False, seed=None):
        """`seed` (int tensor [2]) is needed only for dropout in training."""
        plane = self.to_plane(self.embedding(labels))
        x = tf.concat([tf.cast(images, plane.dtype), plane], axis=-1)
        norms = dict(zip(self.normalized, self.norms))
        for i, conv in enumerate(self.convolutions):
            x = conv(x)
            x = self.leaky_relu(norms[i](x, training=training) if i in norms else x)
            x = self.dropout(x, training=training, seed=None if seed is None else fold(seed, i))
        return self.to_logit(self.flatten(x))
