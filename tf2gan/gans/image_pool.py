"""History of generated images for the discriminators, in the graph and in the checkpoint."""
import tensorflow as tf

from tf2gan.core.seeds import fold


class _Untracked:
    """Hides a variable from tf.Module and tf.train.Checkpoint, which follow attributes."""

    def __init__(self, variable):
        self.variable = variable


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
            self.images = self._one_a_replica("images", tf.zeros([size, *image_shape]))
            self.count = self._one_a_replica("count", tf.zeros([], tf.int32))

    def _one_a_replica(self, name, value):
        """A variable that differs between replicas, so that it must not be averaged or broadcast at every write.

        A checkpoint would hold the first replica's value only: here it is untracked, and its parts are tracked instead.
        """
        variable = tf.Variable(value, trainable=False, name=name, synchronization=tf.VariableSynchronization.ON_READ,
                               aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
        setattr(self, f"{name}_of_replicas", list(getattr(variable, "values", [variable])))
        return _Untracked(variable)

    def copy_first_replica(self, num_saved):
        """After restoring a checkpoint of `num_saved` replicas: any further replica begins with the first's history.

        Of several machines, the chief's replicas are saved, and each machine's own were restored from these.
        """
        for parts in (self.images_of_replicas, self.count_of_replicas) if self.size else ():
            for part in parts[num_saved:]:
                part.assign(parts[0])

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
        count = self.count.variable.read_value()
        # Slots for one batch are all different: free ones first, in order, then used ones, drawn without replacement.
        order = tf.random.stateless_uniform([self.size], fold(seed, "slot"))
        slots = tf.range(self.size)
        order = tf.where(slots < count, 1.0 + order, tf.cast(slots - count, tf.float32) / self.size)
        slots = tf.argsort(order)[:num_images]
        is_free = slots >= count
        is_swapped = tf.random.stateless_uniform([num_images], fold(seed, "swap")) < 0.5
        kept = tf.gather(self.images.variable.read_value(), slots)

        def each(condition):
            return tf.reshape(condition, [num_images, 1, 1, 1])

        shown = tf.where(each(is_swapped & ~is_free), kept, images)
        stored = tf.where(each(is_swapped | is_free), images, kept)
        # scatter_update() refuses variables that differ between replicas; a write of the whole pool would cost 10 MB.
        tf.raw_ops.ResourceScatterUpdate(resource=self.images.variable.handle, indices=slots, updates=stored)
        self.count.variable.assign(tf.minimum(count + num_images, self.size))
        return shown
