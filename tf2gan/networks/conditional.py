"""Class-conditional networks: how the label joins the latents, the feature maps, the image or the logit."""
import tensorflow as tf

from tf2gan.core.seeds import fold
from tf2gan.networks.dcgan import convolution, dense, in_order, norm_layers
from tf2gan.networks.layers import (
    ConditionalBatchNormalization, Conv2DTranspose, Dense, Dropout, add_singular_vector, batch_normalization,
    spectrally_normalized)

SLOPE = 0.01


class ConditionalGenerator(tf.keras.Model):
    """Latents [batch, latent_size] and labels, int [batch], to images [batch, *image_shape] in [-1, 1].

    `image_shape`: (height, width, channels); height and width are equal and a multiple of 4. `num_classes` None: no
    labels. `filters`: channels before the image. `condition`: "product", the latents are multiplied elementwise by the
    label's embedding; "normalization", each batch normalization has a scale and an offset for each class.
    """

    size_multiple = 4
    size_minimum = 8

    def __init__(self, image_shape, latent_size, num_classes, filters=64, dropout=0.0, name="generator",
                 condition="product"):
        super().__init__(name=name, dtype="float32")
        start = image_shape[0] // 4
        self.condition = condition if num_classes is not None else None
        if self.condition == "product":
            self.embedding = tf.keras.layers.Embedding(num_classes, latent_size, name="embedding")
        self.dense = Dense(4 * filters * start * start, name="dense")
        self.reshape = tf.keras.layers.Reshape([start, start, 4 * filters], name="reshape")
        self.convolutions = [
            Conv2DTranspose(width, 3, stride, padding="same", name=f"conv_{i}")
            for i, (width, stride) in enumerate([(2 * filters, 2), (filters, 1)])]
        self.norms = [ConditionalBatchNormalization(num_classes, name=f"norm_{i}")
                      if self.condition == "normalization" else batch_normalization(name=f"norm_{i}") for i in range(2)]
        self.leaky_relu = tf.keras.layers.LeakyReLU(SLOPE, name="leaky_relu")
        self.dropout = Dropout(dropout, name="dropout")
        self.to_image = Conv2DTranspose(image_shape[-1], 3, 2, padding="same", dtype="float32", name="to_image")

    def call(self, latents, labels=None, training=False, seed=None):
        """`seed` (int tensor [2]) is needed only for dropout in training."""
        if self.condition == "product":
            embedded = self.embedding(labels)
            latents = tf.cast(latents, embedded.dtype) * embedded
        of_label = (labels,) if self.condition == "normalization" else ()
        x = self.reshape(self.dense(latents))
        for i, (conv, norm) in enumerate(zip(self.convolutions, self.norms)):
            x = self.leaky_relu(norm(conv(x), *of_label, training=training))
            x = self.dropout(x, training=training, seed=None if seed is None else fold(seed, i))
        return tf.tanh(self.to_image(x))


class Projection(tf.keras.layers.Layer):
    """The inner product of features [batch, n] and the label's embedding: float32 [batch, 1].

    Miyato and Koyama 2018 (arXiv 1802.05637), eq. 4: the part of the logit that tells whether image and label belong
    together. `normalization` "spectral" divides the embeddings by their spectral norm; no other kind has an effect.
    """

    def __init__(self, num_classes, normalization=None, name=None):
        super().__init__(name=name, dtype="float32")
        self.num_classes, self.spectral = num_classes, normalization == "spectral"

    def build(self, input_shape):
        self.embeddings = self.add_weight(name="embeddings", shape=[self.num_classes, input_shape[-1]],
                                          initializer="glorot_uniform")
        if self.spectral:
            self.u = add_singular_vector(self, input_shape[-1])
        super().build(input_shape)

    def call(self, features, labels, training=False):
        table = tf.convert_to_tensor(self.embeddings)
        if self.spectral:
            table = spectrally_normalized(table, self.u, training)
        return tf.reduce_sum(tf.gather(table, labels) * features, axis=-1, keepdims=True)


class ConditionalDiscriminator(tf.keras.Model):
    """Images [batch, height, width, channels] in [-1, 1] and labels, int [batch], to logits [batch, 1].

    `filters`: channels of the first two of three convolutions; the third has twice as many. `normalization`: "batch" or
    "layer", after the second and third; "spectral", of all weights; or None. `condition`: "plane", the label's
    embedding becomes one more channel of the image; "projection", it is multiplied with the last features.
    """

    normalized = (1, 2)  # indices of the normalized convolutions

    def __init__(self, image_shape, num_classes, filters=64, dropout=0.0, normalization="batch", name="discriminator",
                 condition="plane"):
        super().__init__(name=name, dtype="float32")
        height, width = image_shape[:2]
        self.condition = condition
        if condition == "plane":
            self.embedding = tf.keras.layers.Embedding(num_classes, height * width, name="embedding")
            self.to_plane = tf.keras.layers.Reshape([height, width, 1], name="to_plane")
        else:
            self.projection = Projection(num_classes, normalization, name="projection")
        self.convolutions = [convolution(normalization)(width, 3, 2, padding="same", name=f"conv_{i}")
                             for i, width in enumerate((filters, filters, 2 * filters))]
        self.norms = norm_layers(normalization, 0.99, self.normalized)
        self.leaky_relu = tf.keras.layers.LeakyReLU(SLOPE, name="leaky_relu")
        self.dropout = Dropout(dropout, name="dropout")
        self.flatten = tf.keras.layers.Flatten(dtype="float32", name="flatten")
        self.to_logit = dense(normalization)(1, dtype="float32", name="to_logit")

    @property
    def in_order(self):
        """The layers with weights, in the order of use; the embedding of labels comes with the layer it goes into."""
        first, last = (([self.embedding], []) if self.condition == "plane" else ([], [self.projection]))
        found = in_order(self.convolutions, self.norms, self.normalized, self.to_logit, *last)
        return [[*first, *found[0]], *found[1:]]

    def call(self, images, labels, training=False, seed=None):
        """`seed` (int tensor [2]) is needed only for dropout in training."""
        x = images
        if self.condition == "plane":
            plane = self.to_plane(self.embedding(labels))
            x = tf.concat([tf.cast(images, plane.dtype), plane], axis=-1)
        norms = dict(zip(self.normalized, self.norms))
        for i, conv in enumerate(self.convolutions):
            x = conv(x)
            x = self.leaky_relu(norms[i](x, training=training) if i in norms else x)
            x = self.dropout(x, training=training, seed=None if seed is None else fold(seed, i))
        features = self.flatten(x)
        logits = self.to_logit(features)
        return logits if self.condition == "plane" else logits + self.projection(features, labels, training=training)
