"""What all GANs that generate images from latents share: the two losses, the training options, and sampling.

A method's file has its networks, and the order of its updates where that is another than the original GAN's
(`train_step`). The updates minimize `discriminator_loss` and `generator_loss`, which are here.
"""
import math
from typing import Optional

import tensorflow as tf

from tf2gan.core import seeds
from tf2gan.core.errors import UserError
from tf2gan.gans import base, diagnosis, losses
from tf2gan.gans.abilities import Abilities
from tf2gan.gans.configs.latent import Config
from tf2gan.networks import layers
from tf2gan.networks import own as own_networks


class LatentGAN(base.GAN):
    """A generator of images from latents, and the discriminator it is trained against.

    A method implements `make_generator` and `make_discriminator`, and `train_step` if its updates come in another order
    or need more than images.
    """

    Config = Config
    abilities = Abilities(samples=True)
    splits = ("train",)
    num_classes = None  # of the labels that it takes; None: it takes none
    takes_networks = ("generator", "discriminator")

    def __init__(self, config: Config, total_images: Optional[int] = None, own=None):
        config.check()
        if total_images is not None and config.pretrain_images >= total_images:
            raise UserError(f"--pretrain-images {config.pretrain_images}: the whole training has {total_images} "
                            "images, so the generator would learn nothing")
        super().__init__(config, total_images, own)
        self.batches_per_step = config.n_critic
        self.image_shape = (*config.image_shape, config.channels)
        self.generator = self._built_generator("generator")
        self.discriminator = self._built_discriminator()
        self.average = self.average_of(self.generator, lambda: self._built_generator("average"), config.ema_decay)
        self._frozen = self._first_blocks(config.freeze_discriminator)
        self.generator_optimizer = self.optimizer_of("generator")
        self.discriminator_optimizer = self.optimizer_of("discriminator")
        self.build_all([(self.generator_optimizer, self.generator.trainable_variables),
                        (self.discriminator_optimizer, self.discriminator.trainable_variables),
                        *self.make_networks_to_compare()])

    def _first_blocks(self, num):
        """Identities of the variables of the discriminator's first `num` blocks (Mo et al. 2020, arXiv 2002.10964)."""
        if not num:
            return set()
        blocks = getattr(self.discriminator, "in_order", None)
        if blocks is None:
            raise UserError(f"--freeze-discriminator {num}: which layers of this discriminator come first is not "
                            "known; possible: 0")
        if num >= len(blocks):
            raise UserError(f"--freeze-discriminator {num}: the discriminator has {len(blocks)} blocks, one of which "
                            f"must learn; possible: 0 to {len(blocks) - 1}")
        return {id(variable) for block in blocks[:num] for layer in block for variable in layer.trainable_variables}

    def learning_variables(self, variables=None):
        """Those of the discriminator's trainable variables, or of `variables`, that are not frozen."""
        variables = self.discriminator.trainable_variables if variables is None else variables
        return [variable for variable in variables if id(variable) not in self._frozen]

    # Methods implement these.

    def make_generator(self, name):
        """A network from latents [batch, latent_size] to images [batch, *image_shape] in [-1, 1]."""
        raise NotImplementedError

    def make_discriminator(self):
        """A network from images to logits [batch, 1]."""
        raise NotImplementedError

    def make_networks_to_compare(self):
        """Networks trained only for comparison, without effect on the other two: [(optimizer, its variables)]."""
        return []

    def example_condition(self):
        """Further inputs of both networks, such as a label, for one example."""
        return ()

    # For the training loop.

    @property
    def networks(self):
        condition = self.example_condition()
        return {"generator": (self.generator, [tf.zeros([1, self.config.latent_size]), *condition]),
                "discriminator": (self.discriminator, [tf.zeros([1, *self.image_shape]), *condition])}

    def batch_spec(self, batch_size):
        num = self.config.real_batch_size * batch_size // self.config.batch_size
        return {"images": tf.TensorSpec([num, *self.image_shape], tf.float32)}

    def phase(self):
        return {"pretraining": int(self.images_seen.numpy()) < self.config.pretrain_images}

    def phase_end(self):
        return self.config.pretrain_images if self.phase()["pretraining"] else None

    def is_penalized(self, images_per_step):
        """In one of `penalty_every` steps, where it weighs as many times (Karras et al. 2020, 1912.04958, app. B)."""
        if self.config.penalty is None or self.config.penalty_every == 1:
            return None
        return tf.equal(self.images_seen // images_per_step % self.config.penalty_every, 0)

    def optimizer_of(self, player):
        """A new optimizer with the options of the "generator" or the "discriminator"."""
        config = self.config
        return self.make_optimizer(getattr(config, f"{player}_optimizer"), getattr(config, f"{player}_learning_rate"),
                                   config.beta_1, config.beta_2, config.epsilon, config.learning_rate_decay,
                                   config.epoch_decay)

    def _built_generator(self, name):
        inputs = [tf.zeros([1, self.config.latent_size]), *self.example_condition()]
        if "generator" in self.own:
            return own_networks.check(self.own["generator"](name), inputs, [1, *self.image_shape], "generator")
        generator = self.make_generator(name)
        generator(*inputs)
        return generator

    def _built_discriminator(self):
        inputs = [tf.zeros([1, *self.image_shape]), *self.example_condition()]
        if "discriminator" in self.own:
            return own_networks.check(self.own["discriminator"]("discriminator"), inputs, [1, 1], "discriminator")
        discriminator = self.make_discriminator()
        discriminator(*inputs)
        return discriminator

    # The updates, in replica context. `penalized`: whether there is a penalty, if the method has one. `condition`:
    # further inputs of both networks, such as labels.

    def train_step(self, *batches, pretraining=False, penalized=True):
        """Updates of the discriminator, then one of the generator (Goodfellow et al. 2014, algorithm 1).

        `batches`: {"images": float32 [n, *image_shape] in [-1, 1]}, one for each update of the discriminator.
        """
        logs = mean_logs([self.update_discriminator(batch["images"], number=i, penalized=penalized)
                          for i, batch in enumerate(batches)])
        if pretraining:
            return logs
        return {**logs, **self.update_generator(real=[batches[-1]["images"]])}

    def update_discriminator(self, real, *condition, number=0, variables=None, penalized=True):
        """One update from real images [n, *image_shape] and as many generated ones; returns {name: scalar} to log.

        `number`: index of this update in the step. `variables`: those to update; None: all.
        """
        real = self.with_known_number(real)
        fake = self.fake_images(real.shape[0], *condition, number=number)
        logs = self.minimize_discriminator(
            lambda: self.discriminator_loss(real, fake, *condition, number=number, penalized=penalized), variables)
        return {**logs, **diversity(real, fake)}

    def update_generator(self, *condition, real=(), num=None, variables=None):
        """One update from `num` generated images (None: a replica's part of a batch); returns {name: scalar} to log.

        `real`: (real images, *their condition), for a loss that compares real and generated images. `variables`: those
        to update; None: all.
        """
        num = num or self.config.batch_size // self.num_replicas
        latents = self.training_latents(num, "generator_latents")

        def loss_fn():
            fake = self.generator(latents, *condition, training=True, seed=self.seed_for("generator_dropout"))
            logits = self.judge(self.shown(fake, "generator"), *condition, training=True,
                                seed=self.seed_for("dropout_generator"))
            return self.generator_loss(logits, *real), None

        variables = self.generator.trainable_variables if variables is None else variables
        loss, _ = self.minimize(loss_fn, self.generator_optimizer, variables, self.config.gradient_clip)
        return {"generator_loss": loss}

    def with_known_number(self, real):
        """Real images with a static batch size, which a data set lacks when it is split between replicas."""
        num = real.shape[0] or self.config.real_batch_size // self.num_replicas
        return tf.ensure_shape(real, [num, *real.shape[1:]])

    def fake_images(self, num, *condition, number=0):
        """`num` generated images for the discriminator's update with index `number`."""
        latents = self.training_latents(num, f"discriminator_latents{number}")
        return self.generator(latents, *condition, training=True, seed=self.seed_for(f"fake_dropout{number}"))

    def minimize_discriminator(self, loss_fn, variables=None):
        """One step of the discriminator's optimizer; `loss_fn()` returns (loss, logs). Returns the logs.

        With `weight_clip`, its weights are then clipped (Arjovsky et al. 2017, algorithm 1, line 7).
        """
        variables = self.learning_variables(variables)
        _, logs = self.minimize(loss_fn, self.discriminator_optimizer, variables, self.config.gradient_clip)
        self.take_signs(logs)
        if self.config.weight_clip is not None:
            layers.clip_weights(variables, self.config.weight_clip)
        return logs

    # The losses.

    def discriminator_loss(self, real, fake, *condition, number=0, penalized=True):
        """(loss, logs) for real and generated images, both [n, *image_shape]; `penalized`: see `is_penalized`."""
        config, adversarial = self.config, losses.ADVERSARIAL[self.config.loss]
        as_they_are = real, fake
        real, fake = self.shown(real, f"real{number}"), self.shown(fake, f"fake{number}")
        if config.batches == "joint":
            logits = self.judge(tf.concat([real, fake], axis=0), *map(_for_both, condition), training=True,
                                seed=self.seed_for(f"dropout{number}"))
            real_logits, fake_logits = tf.split(logits, 2)
        else:  # batch statistics never mix real and generated images
            real_logits, fake_logits = (
                self.judge(images, *condition, training=True, seed=self.seed_for(f"dropout_{name}{number}"))
                for name, images in (("real", real), ("fake", fake)))
        labels = self._labels(real_logits.shape, number) if adversarial.takes_labels else ()
        loss = config.discriminator_loss_weight * adversarial.discriminator(real_logits, fake_logits, *labels)
        logs = {"discriminator_loss": loss}
        if config.penalty is not None:
            if config.augment is not None:
                real, fake = as_they_are

            def critic(images):  # scaled so that the target slope is 1
                if config.augment is not None:  # the slope at the image, not at the changed one
                    images = self.shown(images, f"penalty{number}")
                logits = self.judge(images, *condition, training=True, seed=self.seed_for(f"dropout_penalty{number}"))
                return logits / config.penalty_target

            logs["penalty"] = config.penalty_every * losses.PENALTIES[config.penalty](
                critic, real, fake, self.draw("uniform", real.shape, f"penalty{number}")) if penalized else tf.zeros([])
            loss += config.penalty_weight * logs["penalty"]
        if config.drift_weight:
            loss += config.drift_weight * losses.drift(real_logits)
        if adversarial.boundary is None:
            logs["critic_distance"] = tf.reduce_mean(real_logits) - tf.reduce_mean(fake_logits)
        else:
            logs["real_accuracy"] = tf.reduce_mean(tf.cast(real_logits > adversarial.boundary, tf.float32))
            logs["fake_accuracy"] = tf.reduce_mean(tf.cast(fake_logits <= adversarial.boundary, tf.float32))
        self.note_signs(logs, real_logits, adversarial.boundary)
        return loss, logs

    def generator_loss(self, fake_logits, real=None, *condition):
        """Scalar loss from the logits [n, 1] of the generated images of one update.

        `real`, `condition`: real images and their condition, for a loss that also needs real logits. If there are fewer
        real images, each is compared with several generated ones.
        """
        adversarial = losses.ADVERSARIAL[self.config.loss]
        if not adversarial.compares:
            return adversarial.generator(fake_logits)
        real = self.with_known_number(real)
        real_logits = self.judge(self.shown(real, "generator_real"), *condition, training=True,
                                 seed=self.seed_for("dropout_generator_real"))
        # Repeated one by one, so that pairs are the same on any number of replicas.
        return adversarial.generator(tf.repeat(real_logits, fake_logits.shape[0] // real.shape[0], axis=0), fake_logits)

    def judge(self, images, *condition, training=False, seed=None):
        """Logits [n, 1] that images are real."""
        return self.discriminator(images, *condition, training=training, seed=seed)

    def logits_of(self, images, labels=None):
        """The discriminator's logits for images [n, *image_shape], as in use, to measure it; `labels`: their classes."""
        return self.judge(images, *(() if self.num_classes is None else (labels,)), training=False)

    def training_latents(self, num, purpose):
        """Latents [num, latent_size] for this purpose and step."""
        shape = [num, self.config.latent_size]
        if self.config.latent_distribution == "normal":
            return self.draw("normal", shape, purpose)
        return 2.0 * self.draw("uniform", shape, purpose) - 1.0

    def _labels(self, shape, number):
        """Labels of real and of generated images, float32 of `shape`."""
        config = self.config
        if config.soft_labels:
            real = 0.8 + 0.2 * self.draw("uniform", shape, f"real_labels{number}")
            fake = 0.3 * self.draw("uniform", shape, f"fake_labels{number}")
        else:
            real, fake = tf.fill(shape, config.real_label), tf.fill(shape, config.fake_label)
        if not config.label_flips:
            return real, fake
        flips = [self.draw("uniform", shape, f"{name}_flips{number}") < config.label_flips for name in ("real", "fake")]
        return tf.where(flips[0], fake, real), tf.where(flips[1], real, fake)

    def shown(self, images, purpose):
        """Images as the discriminator sees them: augmented, and with instance noise, if these are on."""
        if self.config.augment is not None:
            images = self.augmentation(images, f"augment_{purpose}")
        return self.with_noise(images, purpose)

    def with_noise(self, images, purpose):
        """Adds instance noise to images for the discriminator (Sonderby et al. 2017, sec. 3.1).

        The noise falls linearly to 0 with the images seen.
        """
        if not self.config.instance_noise:
            return images
        left = 1.0 - tf.cast(self.images_seen, tf.float32) / float(self.total_images)
        deviation = self.config.instance_noise * tf.clip_by_value(left, 0.0, 1.0)
        return images + deviation * self.draw("normal", images.shape, f"noise_{purpose}")

    # Using the generator.

    def latents(self, num, seed, truncation=math.inf):
        """`num` latents, float32 [num, latent_size]: the first ones of the endless sequence of `seed`.

        Args:
            num, seed: ints or int scalars.
            truncation: largest absolute value of a number: N(0, 1) truncated there, or U(-truncation, truncation). A
                smaller one gives images that are more typical and more alike (Brock et al. 2019, sec. 3.1).
        """
        uniform = seeds.sequence(num, self.config.latent_size, seed, "latents")
        truncation = tf.cast(truncation, tf.float64)
        if self.config.latent_distribution == "uniform":
            return tf.cast((2.0 * uniform - 1.0) * tf.minimum(truncation, 1.0), tf.float32)
        # By inverting the distribution function, so that a latent changes smoothly with the truncation.
        above = 0.5 * tf.math.erfc(truncation / math.sqrt(2.0))
        probability = above + tf.clip_by_value(uniform, 1e-12, 1.0 - 1e-12) * (1.0 - 2.0 * above)
        return tf.cast(tf.math.ndtri(probability), tf.float32)

    def generate(self, latents, *condition):
        """Images [batch, *image_shape] in [-1, 1] from latents [batch, latent_size], and labels if it takes any."""
        return self.average(latents, *condition, training=False)

    def sample_inputs(self, num):
        return self.latents(num, self.config.seed)

    def sample(self, latents):
        """The images of these latents in a nearly square grid, filled up with black."""
        images = self.generate(latents)
        num = images.shape[0]
        columns = math.ceil(math.sqrt(num))
        rows = math.ceil(num / columns)
        images = tf.pad(images, [[0, rows * columns - num], [0, 0], [0, 0], [0, 0]], constant_values=-1.0)
        return {"samples": tf.reshape(images, [rows, columns, *self.image_shape])}

    def diagnose(self, history):
        return diagnosis.of_latent_gan(history, self.config, self.zero_loss())

    def checked(self):
        config = self.config
        names = [*diagnosis.OF_LATENT_GANS, *(["discriminator at zero"] if self.zero_loss() is not None else []),
                 *(["critic runs away"] if losses.ADVERSARIAL[config.loss].boundary is None else []),
                 *(["penalty not held"] if config.penalty else [])]
        return [diagnosis.CHECKS[name] for name in names]

    def zero_loss(self):
        """The value below which the discriminator's loss counts as zero; None if there is no such value."""
        return diagnosis.zero_loss(self.config)


def check_groups(batch_size, group_size, of="", more=""):
    """Raises UserError if `layers.MinibatchStdDev` could compare no images of a batch on a replica.

    `of`, `more`: for the message, which images, and which other options than --batch-size set how many.
    """
    num = batch_size // tf.distribute.get_strategy().num_replicas_in_sync
    if num > 1 and group_size > 1 and all(num % size for size in range(2, group_size + 1)):
        raise UserError(f"{num} images{of} in a batch on a replica: cannot be cut into equal groups of 2 to "
                        f"{group_size}, by which the discriminator is told how much they differ; possible: "
                        f"--batch-size{more} of another number, or --group-size 1, which does without")


def mean_logs(logs):
    """The mean of each quantity over a list of {name: scalar}."""
    return {name: tf.add_n([each[name] for each in logs]) / len(logs) for name in logs[0]}


def diversity(real, fake):
    """{"diversity": std of generated images over the batch, relative to that of real ones}; empty for one image."""
    return {"diversity": _spread(fake) / (_spread(real) + 1e-6)} if real.shape[0] > 1 else {}


def _for_both(part):
    """A condition of real images, repeated for as many generated ones, unless all images share it."""
    return tf.concat([part, part], axis=0) if tf.is_tensor(part) and part.shape.rank else part


def _spread(images):
    """Standard deviation of each pixel over the batch, averaged over pixels."""
    return tf.reduce_mean(tf.math.reduce_std(tf.cast(images, tf.float32), axis=0))
