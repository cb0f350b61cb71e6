"""History of generated images for the discriminators, in the graph and in the checkpoint."""
import tensorflow as tf

from tf2gan.seeds import fold


class ImagePool(tf.Module):
    """Shows a discriminator a mix of new and earlier generated images (Shrivastava et al. 2017; Zhu et al. 2017, 4).

    Each replica keeps a history of its own. Until it is full every image is kept and handed back as it is; after that
    each image is, with probability 1/2, swapped for one drawn from the history.
    """

    def __init__(self, size, image_shape, name="pool"):
        """`size` images (0: no history) of `image_shape` [height, width, channels] for each replica."""
        super().__init__(name=name)
        self.size = size
        if size:
            # Replicas differ here, so the variables must not be averaged or broadcast at every write.
            apart = dict(trainable=False, synchronization=tf.VariableSynchronization.ON_READ,
                         aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
            self.images = tf.Variable(tf.zeros([size, *image_shape]), name="images", **apart)
            self.count = tf.Variable(tf.zeros([], tf.int32), name="count", **apart)

    def query(self, images, seed):
        """Images to show to the discriminator instead of `images`.

        Args:
            images: float32 [batch, height, width, channels], newly generated; batch is static and at most `size`.
            seed: int tensor [2].

        Returns:
            float32, same shape, with no gradient.
        """
        images = tf.stop_gradient(images)
        if not self.size:
            return images
        num_images = images.shape[0]
        if num_images is None or num_images > self.size:
            raise ValueError(f"a pool of {self.size} images cannot take a batch of {num_images}")
        count = self.count.read_value()
        # Slots for one batch are all different: free ones first, in order, then used ones, drawn without replacement.
        order = tf.random.stateless_uniform([self.size], fold(seed, "slot"))
        slots = tf.range(self.size)
        order = tf.where(slots < count, 1.0 + order, tf.cast(slots - count, tf.float32) / self.size)
        slots = tf.argsort(order)[:num_images]
        is_free = slots >= count
        is_swapped = tf.random.stateless_uniform([num_images], fold(seed, "swap")) < 0.5
        kept = tf.gather(self.images.read_value(), slots)

        def each(condition):
            return tf.reshape(condition, [num_images, 1, 1, 1])

        shown = tf.where(each(is_swapped & ~is_free), kept, images)
        stored = tf.where(each(is_swapped | is_free), images, kept)
        # scatter_update() refuses variables that differ between replicas; a write of the whole pool would cost 10 MB.
        tf.raw_ops.ResourceScatterUpdate(resource=self.images.handle, indices=slots, updates=stored)
        self.count.assign(tf.minimum(count + num_images, self.size))
        return shown
