"""Progressive GAN: grows from 4x4 pixels, one resolution after the other (Karras et al. 2017, arXiv 1710.10196).

Large structures are learned while images are small and steps are fast, details later. Each new resolution, a level, is
first faded in: images change from those of the level below, doubled, to the new ones:

    image = (1 - alpha) * doubled(old image) + alpha * new image,   alpha = images of this level so far / fade images

The inputs of the discriminator are blended in the same way, and so are its real images. Then the level is trained
without blending, until the next begins. The loss is that of WGAN-GP plus a drift term, with one update of each network
in turn:

    discriminator:  min  mean(D(G(z))) - mean(D(x)) + 10 mean((|grad D(x^)| - 1)^2) + 0.001 mean(D(x)^2)
    generator:      min  -mean(D(G(z)))
"""
import tensorflow as tf

from tf2gan.gans.configs.progressive import PRESET_OPTIONS, PRESETS, Config
from tf2gan.gans.latent_gan import LatentGAN, check_groups, mean_logs
from tf2gan.networks import progressive
from tf2gan.networks.progressive import ProgressiveDiscriminator, ProgressiveGenerator


class ProGAN(LatentGAN):
    """Both networks have all levels from the start; `phase` says how many of them a step uses."""

    Config = Config
    presets, preset_options = PRESETS, PRESET_OPTIONS
    takes_networks = ()  # a user's network would have to grow too

    def __init__(self, config, total_images=None, own=None):
        config.check()
        for level in range(config.num_levels):
            at = config.of_level(level)
            check_groups(at.real_batch_size, config.group_size, f" of {at.image_size}x{at.image_size}",
                         " or --batch-sizes")
        super().__init__(config, total_images, own)

    def make_generator(self, name):
        config = self.config
        return ProgressiveGenerator(self.image_shape[0], config.channels, config.feature_base, config.feature_max,
                                    config.generator_dropout, name)

    def make_discriminator(self):
        config = self.config
        return ProgressiveDiscriminator(self.image_shape[0], config.feature_base, config.feature_max, config.group_size,
                                        config.discriminator_dropout)

    # Growing. The condition of both networks is (level, alpha).

    def phase(self):
        return {**super().phase(), "level": self.config.level_at(int(self.images_seen.numpy()))}

    def phase_end(self):
        seen = int(self.images_seen.numpy())
        ends = [end for end in (super().phase_end(), *self.config.changes()) if end is not None and end > seen]
        return min(ends, default=None)

    def begin_phase(self):
        """At the start of a level, resets the optimizers: their state knows nothing of its new variables."""
        if int(self.images_seen.numpy()) not in self.config.changes():
            return
        for optimizer, _ in self.optimizers:
            for variable in optimizer.variables:
                if "learning_rate" not in variable.name:
                    variable.assign(tf.zeros_like(variable))

    def alpha(self, level):
        """How far a level is faded in, float32 [] from 0 to 1, a function of the images seen."""
        fade = self.config.fade_of(level)
        if not fade:
            return tf.ones([])
        seen = self.images_seen - self.config.changes()[level]
        return tf.clip_by_value(tf.cast(seen, tf.float32) / float(fade), 0.0, 1.0)

    def real_images(self, images, level, alpha):
        """Reduces images [n, *image_shape] to the size of a level; `alpha` says how far it is faded in."""
        for _ in range(self.config.num_levels - 1 - level):
            images = progressive.halved(images)
        if level == 0:
            return images
        return progressive.blended(progressive.doubled(progressive.halved(images)), images, alpha)

    def train_step(self, *batches, pretraining=False, penalized=True, level=None):
        """As in the original GAN, with images and networks of one level; None is the last."""
        level = self.config.num_levels - 1 if level is None else level
        condition = level, self.alpha(level)
        at, of_generator = self.config.of_level(level), self.generator.level_variables(level)
        of_discriminator = self.discriminator.level_variables(level)
        num = at.real_batch_size // self.num_replicas
        reals = [self.real_images(tf.ensure_shape(batch["images"], [num, *self.image_shape]), *condition)
                 for batch in batches]
        logs = mean_logs([self.update_discriminator(real, *condition, number=i, variables=of_discriminator,
                                                    penalized=penalized)
                          for i, real in enumerate(reals)])
        logs["resolution"], logs["alpha"] = tf.constant(float(progressive.START * 2 ** level)), condition[1]
        if pretraining:
            return logs
        return {**logs, **self.update_generator(*condition, real=[reals[-1], *condition],
                                                num=at.batch_size // self.num_replicas, variables=of_generator)}

    def generate(self, latents):
        """Images [batch, *image_shape] in about [-1, 1], of the level reached in training, enlarged to full size."""
        level, alpha = self._reached()
        images = self.average(latents, level, alpha, training=False)
        for _ in range(self.config.num_levels - 1 - level):
            images = progressive.doubled(images)
        return images

    def logits_of(self, images, labels=None):
        """The discriminator's logits for images [n, *image_shape], which it sees at the size of the level reached."""
        level, alpha = self._reached()
        alpha = tf.ones([]) if alpha is None else alpha
        return self.judge(self.real_images(images, level, alpha), level, alpha, training=False)

    def _reached(self):
        """(level, alpha) of the last step: the next level is untrained; alpha is None if it is faded in."""
        with tf.init_scope():  # also if a graph is traced, which then keeps this level
            seen = int(self.images_seen.numpy())
        level = self.config.level_at(max(0, seen - 1))
        fading = seen < self.config.changes()[level] + self.config.fade_of(level)
        return level, self.alpha(level) if fading else None
