"""Networks for house numbers (SVHN), after work on semi-supervised learning (Salimans et al. 2016, sec. 5)."""
import tensorflow as tf

from tf2gan.core.seeds import fold
from tf2gan.networks.dcgan import convolution, dense, drawn, in_order, norm_layers, num_doublings
from tf2gan.networks.layers import Conv2DTranspose, Dense, Dropout, batch_normalization


class TransposedGenerator(tf.keras.Model):
    """Latents [batch, latent_size] to images [batch, *image_shape] in [-1, 1], by transposed convolutions.

    `image_shape`: (height, width, channels); height and width are equal and a multiple of 8. A dense layer makes the
    first feature maps, 4x4 for 32x32 images. `filters`: channels before the image, doubled at each halving of the size.
    `slope`: of leaky rectifiers; 0: rectifiers. `deviation`: of the weights at first, from N(0, deviation^2); None:
    Keras's, which depends on a layer's size.
    """

    size_multiple = 8
    size_minimum = 16

    def __init__(self, image_shape, filters=128, dropout=0.0, name="generator", slope=0.2, deviation=None):
        super().__init__(name=name, dtype="float32")
        doublings = num_doublings(image_shape[0], start=4, least=3)
        start = image_shape[0] // 2 ** doublings
        widths = [filters * 2 ** i for i in reversed(range(doublings))]
        self.dense = Dense(widths[0] * start * start, name="dense", **drawn(deviation))
        self.reshape = tf.keras.layers.Reshape([start, start, widths[0]], name="reshape")
        self.convolutions = [Conv2DTranspose(width, 5, 2, padding="same", name=f"conv_{i}", **drawn(deviation))
                             for i, width in enumerate(widths[1:])]
        self.norms = [batch_normalization(name=f"norm_{i}") for i in range(doublings)]
        self.leaky_relu = tf.keras.layers.LeakyReLU(slope, name="leaky_relu")
        self.dropout = Dropout(dropout, name="dropout")
        self.to_image = Conv2DTranspose(image_shape[-1], 5, 2, padding="same", dtype="float32", name="to_image",
                                        **drawn(deviation))

    def call(self, latents, training=False, seed=None):
        """`seed` (int tensor [2]) is needed only for dropout in training."""
        x = self.leaky_relu(self.norms[0](self.reshape(self.dense(latents)), training=training))
        for i, (conv, norm) in enumerate(zip(self.convolutions, self.norms[1:])):
            x = self.leaky_relu(norm(conv(x), training=training))
            x = self.dropout(x, training=training, seed=None if seed is None else fold(seed, i))
        return tf.tanh(self.to_image(x))


class HouseNumberDiscriminator(tf.keras.Model):
    """Images [batch, height, width, channels] in [-1, 1], height and width at least 24, to logits [batch, num_logits].

    `dropout`: rate after the first and third convolution; on the images it is 0.4 times that (by default 0.5 and 0.2).
    `normalization`: "batch", "layer", "weight", "spectral" or None. `features`: inputs of the logits layer.
    """

    size_minimum = 24  # then 3x3 enters the convolution without padding
    normalized = (1, 2, 3, 4)  # indices of the normalized convolutions

    def __init__(self, filters=64, num_logits=1, dropout=0.5, normalization="batch", name="discriminator"):
        super().__init__(name=name, dtype="float32")
        self.input_dropout = Dropout(0.4 * dropout, name="input_dropout")
        self.convolutions = [
            convolution(normalization)(filters if i < 3 else 2 * filters, 3, stride,
                                   padding="same" if i < 5 else "valid", name=f"conv_{i}")
            for i, stride in enumerate((2, 2, 2, 1, 1, 1))]
        self.norms = norm_layers(normalization, 0.99, self.normalized)
        self.leaky_relu = tf.keras.layers.LeakyReLU(0.2, name="leaky_relu")
        self.dropout = Dropout(dropout, name="dropout")
        self.pool = tf.keras.layers.GlobalAveragePooling2D(dtype="float32", name="pool")
        self.to_logits = dense(normalization)(num_logits, dtype="float32", name="to_logits")

    @property
    def in_order(self):
        """The layers with weights, in the order of use."""
        return in_order(self.convolutions, self.norms, self.normalized, self.to_logits)

    def features(self, images, training=False, seed=None):
        """[batch, 2 * filters]: the last convolution, averaged over the image. `seed` as in `call`."""
        x = self.input_dropout(images, training=training, seed=seed)
        norms = dict(zip(self.normalized, self.norms))
        for i, conv in enumerate(self.convolutions):
            x = conv(x)
            x = self.leaky_relu(norms[i](x, training=training) if i in norms else x)
            if i in (0, 2):
                x = self.dropout(x, training=training, seed=None if seed is None else fold(seed, i))
        return self.pool(x)

    def call(self, images, training=False, seed=None):
        """`seed` (int tensor [2]) is needed only for dropout in training."""
        return self.to_logits(self.features(images, training, seed))
