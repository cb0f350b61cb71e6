"""The page draws the latents that the tools draw: its rule is run by Node."""
import json
import shutil
import subprocess
import zlib

import numpy as np
import pytest

from tf2gan.latent_space import interpolation
from tf2gan.models import generation
from tf2gan.models.generation import Sampler
from tf2gan.webpage import page

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="no Node on PATH")
PURPOSE = zlib.crc32(b"latents") & 0x7FFFFFFF


def computed(root, expression):
    """The value of an expression after latents.js."""
    code = (root / "tf2gan" / "webpage" / "templates" / "latents.js").read_text()
    done = subprocess.run([NODE, "-e", f"{code}\nconsole.log(JSON.stringify({expression}))"], capture_output=True,
                          text=True, check=True)
    return np.array(json.loads(done.stdout))


@pytest.mark.parametrize("seed, truncation", [(0, None), (1, None), (123456789, None), (2 ** 53 - 1, None), (3, 0.5),
                                              (3, 2.5), (4, 0.05)])
def test_latents_of_a_seed(seed, truncation, root):
    sampler = Sampler.from_savedmodel(root / "savedmodels" / "progan-mnist")
    found = computed(root, f'[...latentOf({seed}, 64, "normal", {PURPOSE}, {truncation or "Infinity"})]')
    np.testing.assert_allclose(found, sampler.latents(1, seed, truncation)[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("truncation", (None, 0.3))
def test_uniform_latents(truncation, root):
    import math

    from tf2gan.gans.latent_gan import LatentGAN

    class Config:
        latent_size, latent_distribution = 7, "uniform"

    class Plain:
        config = Config

    expected = LatentGAN.latents(Plain, 1, 11, math.inf if truncation is None else truncation)[0]
    found = computed(root, f'[...latentOf(11, 7, "uniform", {PURPOSE}, {truncation or "Infinity"})]')
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_quantiles_of_all_sizes(root):
    from statistics import NormalDist

    shares = [1e-12, 1e-9, 1e-4, 0.02, 0.07, 0.0751, 0.3, 0.5, 0.7, 0.93, 0.999, 1 - 1e-9]
    np.testing.assert_allclose(computed(root, f"{shares}.map(quantile)"), [NormalDist().inv_cdf(p) for p in shares],
                               rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("distribution", ("normal", "uniform"))
def test_between_two_latents(distribution, root):
    start, end = np.random.default_rng(0).normal(size=[2, 9]).astype(np.float32)
    way = interpolation.WAYS[interpolation.USUAL[distribution]]
    fractions = [0.0, 0.25, 0.6, 1.0]
    found = computed(root, f'{fractions}.map(part => [...between(Float32Array.from({start.tolist()}), '
                           f'Float32Array.from({end.tolist()}), part, "{distribution}")])')
    np.testing.assert_allclose(found, way(start, end, np.array(fractions)), atol=1e-6)


def test_the_purpose_is_that_of_the_tools(root):
    card = generation.card_of_savedmodel(root / "savedmodels" / "progan-mnist")
    assert page.described(card)["purpose"] == PURPOSE
