"""Losses as pure functions of logits or images. Each returns a float32 scalar, the mean over its inputs.

Every method that generates from latents takes losses by name from `ADVERSARIAL` and `PENALTIES`. To add one, write a
function and an entry there: it is then a choice of --loss or --penalty.
"""
from typing import Callable, NamedTuple, Optional

from tf2gan.core.lazy import tf  # --help lists the losses without TensorFlow


def mean_squared_error(values, target):
    """mean((values - target)^2); `target` is a number or a tensor that broadcasts."""
    return tf.reduce_mean(tf.math.squared_difference(tf.cast(values, tf.float32), target))


def mean_absolute_error(values, target):
    """mean(|values - target|): the L1 loss of cycle consistency and identity (Zhu et al. 2017, eq. 2 and sec. 5.2)."""
    return tf.reduce_mean(tf.abs(tf.cast(values, tf.float32) - tf.cast(target, tf.float32)))


def cross_entropy(logits, labels):
    """-mean(y log D + (1 - y) log(1 - D)), D = sigmoid(logits); `labels` y in [0, 1], a number or of logits' shape."""
    logits = tf.cast(logits, tf.float32)
    # softplus(l) - y l neither overflows nor rounds to log(0).
    return tf.reduce_mean(tf.math.softplus(logits) - labels * logits)


# What semi-supervised learning computes from class logits.

def class_cross_entropy(logits, labels):
    """-mean(log p(y | x)), p the softmax of `logits` [batch, num_classes]; `labels` y, int [batch]."""
    logits = tf.cast(logits, tf.float32)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def class_logits(logits, num_classes):
    """The class logits alone, [batch, num_classes], without the logit of "fake" that may follow them."""
    return logits[:, :num_classes]


def real_logits(logits, num_classes):
    """The logit of "real", float32 [batch, 1], whose sigmoid is D(x) (Salimans et al. 2016, sec. 5).

    With a logit l_f of "fake" after the class logits l_k, D = 1 - p(fake) = sum exp l_k / (sum exp l_k + exp l_f), so
    the logit is log sum exp l_k - l_f. Without it, l_f = 0: subtracting a number from all logits does not change
    softmax, so one of them can be fixed. `logits`: [batch, num_classes] or [batch, num_classes + 1], of any size.
    """
    logits = tf.cast(logits, tf.float32)
    some_class = tf.reduce_logsumexp(logits[:, :num_classes], axis=-1, keepdims=True)
    return some_class if logits.shape[-1] == num_classes else some_class - logits[:, num_classes:]


def contrasts(vectors, positives, temperature):
    """-log softmax(v_i v+_j / t) at j = i, the mean over i, of each image: float32 [n]  (Park et al. 2020, eq. 2).

    `vectors`, `positives`: [n, places, size], of length 1. For each place the other places of the same image are the
    negatives.
    """
    similarity = tf.matmul(tf.cast(vectors, tf.float32), tf.cast(positives, tf.float32), transpose_b=True) / temperature
    places = tf.tile(tf.range(tf.shape(similarity)[1])[tf.newaxis], [tf.shape(similarity)[0], 1])
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(places, similarity), axis=1)


# Adversarial losses. Labels other than 1 and 0 come from label smoothing, soft or flipped labels.

def minimax_discriminator(real_logits, fake_logits, real_labels=1.0, fake_labels=0.0):
    """-mean(log D(x)) - mean(log(1 - D(G(z))))  (Goodfellow et al. 2014, eq. 1)."""
    return cross_entropy(real_logits, real_labels) + cross_entropy(fake_logits, fake_labels)


def minimax_generator(fake_logits):
    """mean(log(1 - D(G(z)))), which saturates where D is sure (Goodfellow et al. 2014, eq. 1)."""
    return -tf.reduce_mean(tf.math.softplus(tf.cast(fake_logits, tf.float32)))


def non_saturating_generator(fake_logits):
    """-mean(log D(G(z)))  (Goodfellow et al. 2014, sec. 3)."""
    return cross_entropy(fake_logits, 1.0)


def least_squares_discriminator(real_logits, fake_logits, real_labels=1.0, fake_labels=0.0):
    """1/2 mean((D(x) - 1)^2) + 1/2 mean(D(G(z))^2)  (Mao et al. 2017, eq. 9 with a = 0, b = 1)."""
    return 0.5 * (mean_squared_error(real_logits, real_labels) + mean_squared_error(fake_logits, fake_labels))


def least_squares_generator(fake_logits):
    """mean((D(G(z)) - 1)^2)  (Zhu et al. 2017, sec. 4; Mao et al. 2017, eq. 9 with c = 1, there halved)."""
    return mean_squared_error(fake_logits, 1.0)


def wasserstein_critic(real_logits, fake_logits):
    """mean(D(G(z))) - mean(D(x)): minus the critic's estimate of the distance (Arjovsky et al. 2017, eq. 3)."""
    return tf.reduce_mean(tf.cast(fake_logits, tf.float32)) - tf.reduce_mean(tf.cast(real_logits, tf.float32))


def wasserstein_generator(fake_logits):
    """-mean(D(G(z)))  (Arjovsky et al. 2017, algorithm 1, line 10)."""
    return -tf.reduce_mean(tf.cast(fake_logits, tf.float32))


def drift(real_logits):
    """mean(D(x)^2): keeps a critic's logits, whose differences alone have a meaning, near 0  (Karras et al. 2017, A.1).
    """
    return mean_squared_error(real_logits, 0.0)


def hinge_discriminator(real_logits, fake_logits):
    """mean(max(0, 1 - D(x))) + mean(max(0, 1 + D(G(z))))  (Lim and Ye 2017; Miyato et al. 2018, eq. 16)."""
    return (tf.reduce_mean(tf.nn.relu(1.0 - tf.cast(real_logits, tf.float32)))
            + tf.reduce_mean(tf.nn.relu(1.0 + tf.cast(fake_logits, tf.float32))))


def relativistic_discriminator(real_logits, fake_logits):
    """mean(softplus(-(D(x) - D(G(z))))), x and z in pairs  (Huang et al. 2024, arXiv 2501.05441, eq. 2)."""
    return tf.reduce_mean(tf.math.softplus(tf.cast(fake_logits, tf.float32) - tf.cast(real_logits, tf.float32)))


def relativistic_generator(real_logits, fake_logits):
    """mean(softplus(-(D(G(z)) - D(x)))): the discriminator's loss with the two exchanged  (the same, eq. 2)."""
    return relativistic_discriminator(fake_logits, real_logits)


class Adversarial(NamedTuple):
    """The losses of both networks, and the meaning of logits."""

    discriminator: Callable  # of (real_logits, fake_logits), and of (real_labels, fake_labels) if it takes labels
    generator: Callable  # of fake_logits; of (real_logits, fake_logits) if it compares the two
    takes_labels: bool = False
    boundary: Optional[float] = None  # logits above it mean "real"; None: only differences of logits have a meaning
    compares: bool = False  # whether the generator's loss needs the logits of real images too


ADVERSARIAL = {
    "minimax": Adversarial(minimax_discriminator, minimax_generator, True, 0.0),
    "non-saturating": Adversarial(minimax_discriminator, non_saturating_generator, True, 0.0),
    "least-squares": Adversarial(least_squares_discriminator, least_squares_generator, True, 0.5),
    "wasserstein": Adversarial(wasserstein_critic, wasserstein_generator),
    # Only the discriminator's loss has hinges; the generator's is the Wasserstein one.
    "hinge": Adversarial(hinge_discriminator, wasserstein_generator, boundary=0.0),
    "relativistic": Adversarial(relativistic_discriminator, relativistic_generator, compares=True),
}


# Gradient penalties: functions of (critic, real, fake, uniform). `critic` maps images to logits, each image by itself
# (if it uses batch statistics, an image's gradient is that of the sum of all logits). `uniform` is noise from U(0, 1)
# in the shape of the images.

def squared_gradient_norms(critic, images):
    """Sum over pixels of (d critic(image) / d image)^2, float32 [batch]."""
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(critic(images))
    gradients = tf.cast(tape.gradient(total, images), tf.float32)
    return tf.reduce_sum(tf.square(gradients), axis=range(1, len(images.shape)))


def _norms(squares):
    return tf.sqrt(squares + 1e-12)  # sqrt has no finite gradient at 0


def _interpolates(real, fake, uniform):
    """A random point on the line between each real image and its generated partner."""
    epsilon = uniform[:, :1, :1, :1]
    return epsilon * real + (1.0 - epsilon) * fake


def gradient_penalty(critic, real, fake, uniform):
    """mean((|grad D(x^)| - 1)^2), x^ uniform between x and G(z)  (Gulrajani et al. 2017, eq. 3)."""
    return tf.reduce_mean((_norms(squared_gradient_norms(critic, _interpolates(real, fake, uniform))) - 1.0) ** 2)


def one_sided_gradient_penalty(critic, real, fake, uniform):
    """mean(max(0, |grad D(x^)| - 1)^2), x^ as in `gradient_penalty`  (Gulrajani et al. 2017, sec. 4)."""
    norms = _norms(squared_gradient_norms(critic, _interpolates(real, fake, uniform)))
    return tf.reduce_mean(tf.nn.relu(norms - 1.0) ** 2)


def dragan_penalty(critic, real, fake, uniform):
    """mean((|grad D(x + d)| - 1)^2), d = 1/2 std(x) U(0, 1) in each pixel  (Kodali et al. 2017, sec. 2.3).

    The noise is that of the authors' code, except that std is computed per image: that of a batch would depend on the
    number of replicas. Generated images are not used.
    """
    deviation = tf.math.reduce_std(real, axis=range(1, len(real.shape)), keepdims=True)
    return tf.reduce_mean((_norms(squared_gradient_norms(critic, real + 0.5 * deviation * uniform)) - 1.0) ** 2)


def r1_penalty(critic, real, fake, uniform):
    """1/2 mean(|grad D(x)|^2) at real images only  (Mescheder et al. 2018, eq. 9)."""
    return 0.5 * tf.reduce_mean(squared_gradient_norms(critic, real))


def r2_penalty(critic, real, fake, uniform):
    """1/2 mean(|grad D(G(z))|^2) at generated images only  (Mescheder et al. 2018, eq. 10)."""
    return 0.5 * tf.reduce_mean(squared_gradient_norms(critic, fake))


def r1_and_r2_penalty(critic, real, fake, uniform):
    """The sum of both, as the relativistic loss needs it  (Huang et al. 2024, arXiv 2501.05441, sec. 2.2)."""
    return r1_penalty(critic, real, fake, uniform) + r2_penalty(critic, real, fake, uniform)


PENALTIES = {"wgan-gp": gradient_penalty, "wgan-gp-one-sided": one_sided_gradient_penalty, "dragan": dragan_penalty,
             "r1": r1_penalty, "r2": r2_penalty, "r1-r2": r1_and_r2_penalty}
