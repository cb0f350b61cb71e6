"""What all GANs that make images from noise share: latents, the two losses, and the choices of how to train.

A method's file has its networks, its defaults, and the order of its updates (`train_step`).
"""
import math
from typing import Optional

import tensorflow as tf

from tf2gan import layers, losses
from tf2gan.errors import UserError
from tf2gan.gans import gan
from tf2gan.gans.noise_options import Config
from tf2gan.seeds import fold

FAULT_STEPS = 500  # for so long a fault must last before it is called one
START_STEPS = 3000  # a network that has not yet begun to learn is given so long
LEAST_DIVERSITY = 0.05  # of generated images, where the real ones have 1
LEAST_LOSS = 0.001  # of the discriminator, where guessing gives 1


class NoiseToImage(gan.GAN):
    """A generator of images from latents, and the discriminator that it is trained against.

    A method implements `make_generator` and `make_discriminator`, and `train_step` if it does not do as the first GAN.
    """

    Config = Config
    splits = ("train",)
    num_classes = None  # where the method takes labels: of how many classes

    def __init__(self, config: Config, total_images: Optional[int] = None):
        config.check()
        if total_images is not None and config.pretrain_images >= total_images:
            raise UserError(f"--pretrain-images {config.pretrain_images}: the whole training has {total_images} "
                            "images, so the generator would learn nothing")
        super().__init__(config, total_images)
        self.batches_per_step = config.n_critic
        self.image_shape = (*config.image_shape, config.channels)
        self.generator = self._built_generator("generator")
        self.discriminator = self.make_discriminator()
        self.discriminator(tf.zeros([1, *self.image_shape]), *self._some_condition())
        self.average = self.average_of(self.generator, lambda: self._built_generator("average"), config.ema_decay)
        self.generator_optimizer = self.optimizer_of("generator")
        self.discriminator_optimizer = self.optimizer_of("discriminator")
        self.build_all([(self.generator_optimizer, self.generator.trainable_variables),
                        (self.discriminator_optimizer, self.discriminator.trainable_variables), *self.make_more()])

    # What a method provides.

    def make_generator(self, name):
        """A network from latents [batch, latent_size] to images [batch, *image_shape] in [-1, 1]."""
        raise NotImplementedError

    def make_discriminator(self):
        """A network from images to logits [batch, 1]."""
        raise NotImplementedError

    def make_more(self):
        """Networks beside these two; pairs of an optimizer and the variables that it moves."""
        return []

    def optimizer_of(self, player):
        """A new optimizer with the options of the "generator" or the "discriminator"."""
        config = self.config
        return self.make_optimizer(getattr(config, f"{player}_optimizer"), getattr(config, f"{player}_learning_rate"),
                                   config.beta_1, config.beta_2, config.epsilon, config.learning_rate_decay,
                                   config.epoch_decay)

    def _built_generator(self, name):
        generator = self.make_generator(name)
        generator(tf.zeros([1, self.config.latent_size]), *self._some_condition())
        return generator

    def _some_condition(self):
        """What networks take besides latents and images, for one example."""
        return ()

    def stage(self, *condition):
        """The config of the updates that networks with this condition take part in."""
        return self.config

    def trained_by(self, network, *condition):
        """The variables of a network that such an update moves."""
        return network.trainable_variables

    def twice(self, *condition):
        """The condition of a batch that is two batches of this one."""
        return [tf.concat([part, part], axis=0) for part in condition]

    # For the training loop.

    @property
    def networks(self):
        return {"generator": (self.generator, [tf.zeros([1, self.config.latent_size]), *self._some_condition()]),
                "discriminator": (self.discriminator, [tf.zeros([1, *self.image_shape]), *self._some_condition()])}

    def batch_spec(self, batch_size):
        num = self.config.real_batch_size * batch_size // self.config.batch_size
        return {"images": tf.TensorSpec([num, *self.image_shape], tf.float32)}

    def phase(self):
        return {"pretraining": int(self.images_seen.numpy()) < self.config.pretrain_images}

    def phase_end(self):
        return self.config.pretrain_images if self.phase()["pretraining"] else None

    # The updates.

    def train_step(self, *batches, pretraining=False):
        """Goodfellow et al. 2014, algorithm 1: for each batch of real images one update of the discriminator, then one
        of the generator. `batches`: {"images": float32 [n, *image_shape] in [-1, 1]}."""
        logs = mean_logs([self.update_discriminator(batch["images"], number=i) for i, batch in enumerate(batches)])
        return logs if pretraining else {**logs, **self.update_generator()}

    def update_discriminator(self, real, *condition, number=0, extra_loss=None):
        """One update from real images [n, *image_shape] and as many generated ones; {name: scalar} to log.

        `condition`: what else both networks take, such as labels. `number`: which of a step's updates this is.
        `extra_loss()`: (scalar, what to log) of what else the discriminator learns in the same update.
        """
        stage = self.stage(*condition)
        num = stage.real_batch_size // self.num_replicas
        real = tf.ensure_shape(real, [num, *stage.image_shape, stage.channels])
        latents = self.training_latents(num, f"discriminator_latents{number}")
        fake = self.generator(latents, *condition, training=True, seed=self.seed_for(f"fake_dropout{number}"))

        def loss_fn():
            loss, logs = self.discriminator_loss(real, fake, *condition, number=number)
            if extra_loss is None:
                return loss, logs
            extra, extra_logs = extra_loss()
            return loss + extra, {**extra_logs, **logs}

        variables = self.trained_by(self.discriminator, *condition)
        _, logs = self.minimize(loss_fn, self.discriminator_optimizer, variables, self.config.gradient_clip)
        if self.config.weight_clip is not None:
            layers.clip_weights(variables, self.config.weight_clip)
        if num > 1:
            logs["diversity"] = _spread(fake) / (_spread(real) + 1e-6)
        return logs

    def discriminator_loss(self, real, fake, *condition, number=0):
        """(loss, what to log) for real and generated images, both [n, *image_shape]."""
        config, adversarial = self.config, losses.ADVERSARIAL[self.config.loss]
        real, fake = self.with_noise(real, f"real{number}"), self.with_noise(fake, f"fake{number}")
        if config.batches == "joint":
            logits = self.judge(tf.concat([real, fake], axis=0), *self.twice(*condition), training=True,
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
            def critic(images):  # scaled so that the slope asked for is 1
                logits = self.judge(images, *condition, training=True, seed=self.seed_for(f"dropout_penalty{number}"))
                return logits / config.penalty_target

            logs["penalty"] = losses.PENALTIES[config.penalty](
                critic, real, fake, self.draw("uniform", real.shape, f"penalty{number}"))
            loss += config.penalty_weight * logs["penalty"]
        if config.drift_weight:
            loss += config.drift_weight * losses.drift(real_logits)
        if adversarial.boundary is None:
            logs["critic_distance"] = tf.reduce_mean(real_logits) - tf.reduce_mean(fake_logits)
        else:
            logs["real_accuracy"] = tf.reduce_mean(tf.cast(real_logits > adversarial.boundary, tf.float32))
            logs["fake_accuracy"] = tf.reduce_mean(tf.cast(fake_logits <= adversarial.boundary, tf.float32))
        return loss, logs

    def update_generator(self, *condition):
        """One update from a batch of generated images; {name: scalar} to log. `condition` as in the discriminator's."""
        latents = self.training_latents(self.stage(*condition).batch_size // self.num_replicas, "generator_latents")

        def loss_fn():
            fake = self.generator(latents, *condition, training=True, seed=self.seed_for("generator_dropout"))
            logits = self.judge(self.with_noise(fake, "generator"), *condition, training=True,
                                seed=self.seed_for("dropout_generator"))
            return self.generator_loss(logits), None

        loss, _ = self.minimize(loss_fn, self.generator_optimizer, self.trained_by(self.generator, *condition),
                                self.config.gradient_clip)
        return {"generator_loss": loss}

    def judge(self, images, *condition, training=False, seed=None):
        """Logits [n, 1] of images' being real."""
        return self.discriminator(images, *condition, training=training, seed=seed)

    def generator_loss(self, fake_logits):
        """Scalar, from the logits [n, 1] of the images of one update."""
        return losses.ADVERSARIAL[self.config.loss].generator(fake_logits)

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

    def with_noise(self, images, purpose):
        """Images as the discriminator is shown them: with instance noise (Sonderby et al. 2017, sec. 3.1).

        The noise falls linearly with the images seen.
        """
        if not self.config.instance_noise:
            return images
        left = 1.0 - tf.cast(self.images_seen, tf.float32) / float(self.total_images)
        deviation = self.config.instance_noise * tf.clip_by_value(left, 0.0, 1.0)
        return images + deviation * self.draw("normal", images.shape, f"noise_{purpose}")

    # Using it.

    def latents(self, num, seed, truncation=math.inf):
        """`num` latents, float32 [num, latent_size]: the first ones of the endless sequence that `seed` stands for.

        Args:
            num, seed: ints or int scalars.
            truncation: no number is larger than this in size: N(0, 1) cut off there, or U(-truncation, truncation).
                The smaller, the more alike and the more typical the images (Brock et al. 2019, sec. 3.1).
        """
        seed = tf.stack([tf.cast(seed, tf.int64), tf.zeros([], tf.int64)])
        uniform = tf.random.stateless_uniform([num, self.config.latent_size], fold(seed, "latents"), dtype=tf.float64)
        truncation = tf.cast(truncation, tf.float64)
        if self.config.latent_distribution == "uniform":
            return tf.cast((2.0 * uniform - 1.0) * tf.minimum(truncation, 1.0), tf.float32)
        # By the inverse of the distribution function, so that a latent moves smoothly with the truncation.
        above = 0.5 * tf.math.erfc(truncation / math.sqrt(2.0))
        probability = above + tf.clip_by_value(uniform, 1e-12, 1.0 - 1e-12) * (1.0 - 2.0 * above)
        return tf.cast(tf.math.ndtri(probability), tf.float32)

    def generate(self, latents, *condition):
        """Images [batch, *image_shape] in [-1, 1] from latents [batch, latent_size] and, if it takes any, labels."""
        return self.average(latents, *condition, training=False)

    def sample_inputs(self, num):
        return self.latents(num, self.config.seed)

    def sample(self, latents):
        """The images of these latents as a grid, as square as can be, filled up with black."""
        images = self.generate(latents)
        num = images.shape[0]
        columns = math.ceil(math.sqrt(num))
        rows = math.ceil(num / columns)
        images = tf.pad(images, [[0, rows * columns - num], [0, 0], [0, 0], [0, 0]], constant_values=-1.0)
        return {"samples": tf.reshape(images, [rows, columns, *self.image_shape])}

    def diagnose(self, history):
        found, config = {}, self.config

        def lasts(fault, steps):
            """Whether all that was logged in the last so many steps has the fault."""
            first = config.steps_in(history[-1]["images"]) - steps
            since = config.images_in(max(0, first))
            return first >= 0 and since >= config.pretrain_images and all(
                fault(line) for line in history if line["images"] > since)

        def collapsed(line):
            return line.get("diversity", 1.0) < LEAST_DIVERSITY

        # What collapses must have been more than it is; some generators need their time to begin.
        has_begun = any(line.get("diversity", 0.0) > 4 * LEAST_DIVERSITY for line in history)
        steps = FAULT_STEPS if has_begun else START_STEPS
        if lasts(collapsed, steps):
            found["mode collapse"] = (
                f"for {steps} steps the generated images of a batch have been nearly equal (diversity "
                f"{history[-1]['diversity']:.3f}; that of real images is 1): the generator makes one image whatever "
                "the latents are. A lower --generator-learning-rate, --beta-1 0.5, or --loss wasserstein --penalty "
                "wgan-gp often help, in a new run")
        limit = self._zero_loss()
        if limit is not None and lasts(lambda line: line["discriminator_loss"] < limit, FAULT_STEPS):
            found["discriminator at zero"] = (
                f"for {FAULT_STEPS} steps the discriminator has told real from generated images without a doubt (its "
                f"loss is {history[-1]['discriminator_loss']:.4f}), and a generator learns nothing from that. A lower "
                "--discriminator-learning-rate, --discriminator-dropout 0.3, --real-label 0.9 or --instance-noise 0.1 "
                "make it less sure, in a new run")
        return found

    def _zero_loss(self):
        """Below this the discriminator's loss counts as zero; None where that means nothing."""
        config, adversarial = self.config, losses.ADVERSARIAL[self.config.loss]
        if adversarial.boundary is None or config.soft_labels or config.label_flips:
            return None
        labels = (config.real_label, config.fake_label) if adversarial.takes_labels else ()
        guess = adversarial.discriminator(tf.fill([1, 1], adversarial.boundary), tf.fill([1, 1], adversarial.boundary),
                                          *labels)
        lowest = 0.0
        if config.loss in ("minimax", "non-saturating"):  # the entropy of smoothed labels remains
            lowest = -sum(p * math.log(p) for label in labels for p in (label, 1.0 - label) if p > 0.0)
        return config.discriminator_loss_weight * (lowest + LEAST_LOSS * (float(guess) - lowest))


def mean_logs(logs):
    """The mean of each quantity over a list of {name: scalar}."""
    return {name: tf.add_n([each[name] for each in logs]) / len(logs) for name in logs[0]}


def _spread(images):
    """Deviation of each pixel over the batch, its mean over pixels."""
    return tf.reduce_mean(tf.math.reduce_std(tf.cast(images, tf.float32), axis=0))
