"""Presets of WGAN and WGAN-GP, whose options are those of DCGAN."""
from tf2gan.gans.configs.dcgan import Config

# The critic: no labels, no dropout, full batches, five updates per generator update.
_CRITIC = {"loss": "wasserstein", "n_critic": 5, "half_batches": False, "discriminator_dropout": 0.0,
           "discriminator_loss_weight": 1.0}

PRESETS = {
    # Arjovsky et al. 2017, algorithm 1.
    "wgan": Config(**_CRITIC, weight_clip=0.01, generator_optimizer="rmsprop", discriminator_optimizer="rmsprop",
                   generator_learning_rate=5e-5, discriminator_learning_rate=5e-5),
    # Gulrajani et al. 2017, algorithm 1.
    "wgan-gp": Config(**_CRITIC, penalty="wgan-gp", discriminator_normalization="layer", generator_learning_rate=1e-4,
                      discriminator_learning_rate=1e-4, beta_1=0.0, beta_2=0.9)}

PRESET_OPTIONS = {name: {"sample_every": 100, "num_samples": 25} for name in PRESETS}
