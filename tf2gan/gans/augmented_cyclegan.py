"""Augmented CycleGAN: many translations of one image (Almahairi et al. 2018, arXiv 1802.10151).

An image a does not tell all of its translation b: an outline does not tell the colour. What is missing is a style z_b,
from N(0, 1), which the generator takes too; encoders find it again. A cycle comes back to the image and to the style:

    b' = G_ab(a, z_b)     z_a' = E_a(a, b')     fool D_b and D_za               (marginal matching)
    a'' = G_ba(b', z_a')  z_b'' = E_b(b', a)    |a - a''| and |z_b - z_b''|     (cycle consistency)

and from (b, z_a) with the letters exchanged. Here a is x, b is y. The discriminator D_za keeps the encoder from hiding
the whole image a in z_a', of which no translation would be needed: what it finds must look like noise.
"""
import tensorflow as tf

from tf2gan.core import seeds
from tf2gan.gans import losses
from tf2gan.gans.abilities import Abilities
from tf2gan.gans.configs.augmented_cyclegan import PRESET_OPTIONS, PRESETS, Config
from tf2gan.gans.cyclegan import CycleGAN
from tf2gan.gans.translation import DOMAINS
from tf2gan.networks.mlp import VectorDiscriminator
from tf2gan.networks.styled import StyledResNet, StyleEncoder

NUM_SHOWN = 4  # styles in a picture of samples


class AugmentedCycleGAN(CycleGAN):
    """CycleGAN whose generators also take styles, with an encoder and a discriminator of the styles of each domain."""

    Config = Config
    abilities = Abilities(directions=("a2b", "b2a"), styles=True)
    presets, preset_options = PRESETS, PRESET_OPTIONS
    takes_networks = ()
    generating, judging = ("generator", "encoder"), (*CycleGAN.judging, "style_discriminator")

    def make_generator(self, name):
        config = self.config
        num_blocks = config.num_blocks or (6 if min(config.image_shape) >= 256 else 4)
        network = StyledResNet(filters=config.generator_filters or 32, num_blocks=num_blocks, name=name)
        network(self.example(), self._example_style())
        return network

    def make_more(self):
        self.encoder_x, self.encoder_y = self._new_encoder("encoder_x"), self._new_encoder("encoder_y")
        self.average_encoder_x, self.average_encoder_y = (
            self.average_of(network, lambda name=name: self._new_encoder(name), self.config.ema_decay)
            for network, name in ((self.encoder_x, "average_encoder_x"), (self.encoder_y, "average_encoder_y")))
        self.style_discriminator_x, self.style_discriminator_y = (
            VectorDiscriminator(name=f"style_discriminator_{domain}") for domain in "xy")
        for network in (self.style_discriminator_x, self.style_discriminator_y):
            network(self._example_style())
        self._usual_style = self.styles(1, 0).numpy()  # a constant, which phones need not draw
        return ()

    def _new_encoder(self, name):
        network = StyleEncoder(self.config.style_size, self.config.encoder_filters, name=name)
        network(self.example(), self.example())
        return network

    def _example_style(self):
        return tf.zeros([1, self.config.style_size])

    @property
    def networks(self):
        image, style = self.example(), self._example_style()
        return {**super().networks,
                **{name: (getattr(self, name), [image, style]) for name in ("generator_xy", "generator_yx")},
                **{name: (getattr(self, name), [image, image]) for name in ("encoder_x", "encoder_y")},
                **{name: (getattr(self, name), [style]) for name in ("style_discriminator_x", "style_discriminator_y")}}

    def train_step(self, batch):
        """One update of generators and encoders, then one of all discriminators.

        `batch`: {"x", "y"}, each float32 [batch, height, width, 3] in [-1, 1]. Returns the terms of both losses.
        """
        real_x, real_y = batch["x"], batch["y"]
        styles_x, styles_y = (self.draw("normal", [real_x.shape[0], self.config.style_size], f"styles_{domain}")
                              for domain in "xy")
        generator_loss, (logs, fake_x, fake_y, found_x, found_y) = self.minimize(
            lambda: self.generators_loss(real_x, styles_x, real_y, styles_y), self.generator_optimizer,
            self.generator_variables)
        shown_x = self.pool_x.query(fake_x, self.seed_for("pool_x"))
        shown_y = self.pool_y.query(fake_y, self.seed_for("pool_y"))
        found_x, found_y = tf.stop_gradient(found_x), tf.stop_gradient(found_y)

        def discriminators_loss():
            loss, terms = self.discriminators_loss(real_x, shown_x, real_y, shown_y)
            return loss + self.style_discriminators_loss(styles_x, found_x, styles_y, found_y, terms), terms

        discriminator_loss, terms = self.minimize(discriminators_loss, self.discriminator_optimizer,
                                                  self.discriminator_variables)
        self.take_signs(terms)
        return {**logs, "generator_loss": generator_loss, **terms, "discriminator_loss": discriminator_loss}

    def generators_loss(self, real_x, styles_x, real_y, styles_y):
        """Weighted sum of all terms; also returns them, the translations, and the styles found in real images."""
        config, logs = self.config, {}
        fake_y, found_x, back_x, again_y = self._cycle(real_x, styles_y, self.generator_xy, self.generator_yx,
                                                       self.encoder_x, self.encoder_y)
        fake_x, found_y, back_y, again_x = self._cycle(real_y, styles_x, self.generator_yx, self.generator_xy,
                                                       self.encoder_y, self.encoder_x)
        loss = self.fooled(fake_x, fake_y, logs)
        for domain, judge, real, found, back, styles, again in (
                ("x", self.style_discriminator_x, real_x, found_x, back_x, styles_x, again_x),
                ("y", self.style_discriminator_y, real_y, found_y, back_y, styles_y, again_y)):
            logs[f"style_{domain}"] = losses.least_squares_generator(judge(found, training=True))
            logs[f"cycle_{domain}"] = losses.mean_absolute_error(back, real)
            logs[f"style_cycle_{domain}"] = losses.mean_absolute_error(again, styles)
            loss += (config.style_weight * logs[f"style_{domain}"] + config.cycle_weight * logs[f"cycle_{domain}"]
                     + config.style_cycle_weight * logs[f"style_cycle_{domain}"])
        return loss, (logs, fake_x, fake_y, found_x, found_y)

    def _cycle(self, images, styles, there, back, own_encoder, other_encoder):
        """(the translations, the styles of `images` found by them, the images that come back, the styles found again).
        """
        made = there(images, styles, training=True)
        own = own_encoder(images, made, training=True)
        return made, own, back(made, own, training=True), other_encoder(made, images, training=True)

    def style_discriminators_loss(self, styles_x, found_x, styles_y, found_y, logs):
        """The sum of both losses, which it adds to `logs`: `styles` are drawn, `found` are from the encoders."""
        for domain, judge, drawn, found in (("x", self.style_discriminator_x, styles_x, found_x),
                                            ("y", self.style_discriminator_y, styles_y, found_y)):
            drawn_logits, found_logits = tf.split(judge(tf.concat([drawn, found], axis=0), training=True), 2)
            logs[f"style_loss_{domain}"] = losses.least_squares_discriminator(drawn_logits, found_logits)
        return logs["style_loss_x"] + logs["style_loss_y"]

    # Use.

    def styles(self, num, seed):
        """The first `num` styles of a seed, float32 [num, style_size] from N(0, 1); both int scalars."""
        uniform = seeds.sequence(num, self.config.style_size, seed, "sequence")
        return tf.cast(tf.math.ndtri(tf.clip_by_value(uniform, 1e-12, 1.0 - 1e-12)), tf.float32)

    def generate(self, inputs, direction=None, styles=None):
        """Translates images, float32 [batch, height, width, 3] in [-1, 1], of a size that the generators take.

        `styles`: float32 [batch, style_size]; None: the first one of seed 0, for all.
        """
        if styles is None:
            styles = tf.repeat(tf.constant(self._usual_style), tf.shape(inputs)[0], axis=0)
        return self.translating_network(direction or "a2b")(inputs, styles, training=False)

    def encoding_network(self, direction):
        """The encoder of the styles of targets: images and their partners among the inputs to [batch, style_size]."""
        return {"x": self.average_encoder_x, "y": self.average_encoder_y}[DOMAINS[direction][1]]

    def sample(self, inputs):
        """Translates fixed images in NUM_SHOWN styles: {direction: [batch, 1 + NUM_SHOWN columns, height, width, 3]}.

        `inputs`: {"x", "y"}, float32 [batch, height, width, 3] in [-1, 1].
        """
        styles = self.styles(NUM_SHOWN, 0)

        def row(images, direction):
            num = tf.shape(images)[0]
            made = [self.generate(images, direction, tf.repeat(styles[i:i + 1], num, axis=0))
                    for i in range(NUM_SHOWN)]
            return tf.stack([images, *made], axis=1)

        return {direction: row(inputs[DOMAINS[direction][0]], direction) for direction in DOMAINS}

    def sample_titles(self):
        return {direction: {"column_titles": (f"input {domain}", *(f"style {i + 1}" for i in range(NUM_SHOWN)))}
                for direction, domain in zip(DOMAINS, "AB")}
