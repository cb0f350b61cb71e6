"""History of generated images for the discriminators, kept in the graph and in checkpoints."""
import tensorflow as tf

from tf2gan.core import seeds


class _Untracked:
    """Hides a variable from tf.Module and tf.train.Checkpoint, which follow attributes."""

    def __init__(self, variable):
        self.variable = variable


class ImagePool(tf.Module):
    """Mixes new and earlier generated images for a discriminator (Shrivastava et al. 2017; Zhu et al. 2017, sec. 4).

    Each replica has its own history. Until it is full, every image is stored and returned unchanged. After that, each
    image is swapped, with probability 1/2, for one drawn from the history.
    """

    def __init__(self, size, image_shape, name="pool"):
        """`size` images (0: no history) of `image_shape` [height, width, channels] for each replica."""
        super().__init__(name=name)
        self.size = size
        if size:
            self.images = self._one_a_replica("images", tf.zeros([size, *image_shape]))
            self.count = self._one_a_replica("count", tf.zeros([], tf.int32))

    def _one_a_replica(self, name, value):
        """A variable that differs between replicas, so that no write may average or broadcast it.

        A checkpoint would hold only the first replica's value, so the variable is untracked and its parts are tracked.
        """
        variable = tf.Variable(value, trainable=False, name=name, synchronization=tf.VariableSynchronization.ON_READ,
                               aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
        setattr(self, f"{name}_of_replicas", list(getattr(variable, "values", [variable])))
        return _Untracked(variable)

    def copy_first_replica(self, num_saved):
        """Call after restoring a checkpoint of `num_saved` replicas: further replicas start with the first's history.

        With several machines, the checkpoint holds the chief's replicas, and each machine restores its own from these.
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
        # A batch gets different slots: free ones first, in order, then used ones, drawn without replacement.
        order = seeds.uniform([self.size], seeds.fold(seed, "slot"))
        slots = tf.range(self.size)
        order = tf.where(slots < count, 1.0 + order, tf.cast(slots - count, tf.float32) / self.size)
        slots = tf.argsort(order)[:num_images]
        is_free = slots >= count
        is_swapped = seeds.uniform([num_images], seeds.fold(seed, "swap")) < 0.5
        kept = tf.gather(self.images.variable.read_value(), slots)

        def each(condition):
            return tf.reshape(condition, [num_images, 1, 1, 1])

        shown = tf.where(each(is_swapped & ~is_free), kept, images)
        stored = tf.where(each(is_swapped | is_free), images, kept)
        # scatter_update() refuses variables that differ between replicas; assign() would write the whole pool, 10 MB.
        tf.raw_ops.ResourceScatterUpdate(resource=self.images.variable.handle, indices=slots, updates=stored)
        self.count.variable.assign(tf.minimum(count + num_images, self.size))
        return shown
