"""PSNR, SSIM, MS-SSIM: closed forms, other implementations' numbers; diversity whatever the batches."""
import numpy as np
import pytest
import tensorflow as tf

from tf2gan.metrics.similarity import WEIGHTS, Diversity, ms_ssim, num_scales, psnr, ssim


def textures(num, shape, seed, grain=3):
    noise = np.random.default_rng(seed).integers(0, 256, [num, *shape])
    return (sum(np.roll(noise, i, axis=(1, 2)) for i in range(grain)) // grain).astype(np.uint8)


def constant(value, shape=(1, 28, 28, 1)):
    return np.full(shape, value, np.uint8)


def pairs():
    images = textures(3, (24, 30, 3), 3)
    noise = np.random.default_rng(4).integers(-60, 61, images.shape) * np.arange(1, 4)[:, None, None, None] // 2
    return images, np.clip(images + noise, 0, 255).astype(np.uint8)


def test_equal_images():
    images = textures(2, (30, 26, 3), 0)
    assert psnr(images, images).tolist() == [np.inf, np.inf]
    for measure in (ssim, ms_ssim):
        np.testing.assert_allclose(measure(images, images), 1, rtol=0, atol=1e-12)


def test_constant_images():
    """Without contrast SSIM is (2ab + C1) / (a^2 + b^2 + C1); of MS-SSIM the last scale is left, by its weight."""
    a, b, c1 = 100, 130, 2.55 ** 2
    expected = (2 * a * b + c1) / (a * a + b * b + c1)
    np.testing.assert_allclose(psnr(constant(a), constant(b)), 20 * np.log10(255 / 30), rtol=1e-12)
    np.testing.assert_allclose(ssim(constant(a), constant(b)), expected, rtol=1e-10)
    weight = WEIGHTS[1] / (WEIGHTS[0] + WEIGHTS[1])
    np.testing.assert_allclose(ms_ssim(constant(a), constant(b)), expected ** weight, rtol=1e-10)


def test_opposite_images_have_negative_ssim_and_no_ms_ssim():
    images = textures(2, (28, 28, 1), 5)
    assert ssim(images, 255 - images).max() < -0.3
    assert ms_ssim(images, 255 - images).tolist() == [0, 0]


def test_scikit_image():
    """scikit-image 0.26.0: peak_signal_noise_ratio(data_range=255); structural_similarity(gaussian_weights=True,
    sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=-1)."""
    a, b = pairs()
    np.testing.assert_allclose(psnr(a, b), [23.160258672354356, 17.331804095982374, 13.88312800477355], rtol=1e-8)
    np.testing.assert_allclose(ssim(a, b), [0.9068218434901721, 0.7311248980698629, 0.5660243609215734], rtol=1e-8)
    np.testing.assert_array_equal(ssim(b, a), ssim(a, b))


@pytest.mark.parametrize("height, width", [(161, 170), (28, 28), (43, 50)])
def test_tensorflow_at_five_scales_and_fewer(height, width):
    a = textures(2, (height, width, 3), 6)
    b = (a * 0.7 + textures(2, (height, width, 3), 7) * 0.3).astype(np.uint8)
    weights = np.array(WEIGHTS[:num_scales(height, width)])
    expected = tf.image.ssim_multiscale(a, b, 255, list(weights / weights.sum())).numpy()
    np.testing.assert_allclose(ms_ssim(a, b), expected, rtol=0, atol=2e-5)  # TensorFlow's is float32


def test_num_scales():
    sizes = {11: 1, 20: 1, 21: 2, 40: 2, 41: 3, 80: 3, 81: 4, 160: 4, 161: 5, 1024: 5}
    assert {size: num_scales(size, 2000) for size in sizes} == sizes
    assert num_scales(500, 28) == 2
    with pytest.raises(ValueError, match="images of 10x40 are too small for SSIM: at least 11x11"):
        num_scales(10, 40)


@pytest.mark.parametrize("measure", [psnr, ssim, ms_ssim])
def test_each_pair_by_itself(measure):
    a, b = pairs()
    alone = np.concatenate([measure(a[i:i + 1], b[i:i + 1]) for i in range(3)])
    np.testing.assert_array_equal(measure(a, b), alone)
    assert measure(a[:0], b[:0]).shape == (0,) and measure(a, b).dtype == np.float64
    for other in (b[:2], b[..., :1], b.astype(np.float32), b[0]):
        with pytest.raises(ValueError, match="not two batches of uint8"):
            measure(a, other)


def test_diversity_does_not_depend_on_batches():
    images = textures(11, (28, 28, 1), 8)
    pair = ms_ssim(images[0:10:2], images[1:10:2])
    expected = pair.mean(), pair.std(ddof=1) / np.sqrt(5)
    for size in (1, 3, 4, 11):
        diversity = Diversity()
        for start in range(0, 11, size):
            assert diversity.add(images[start:start + size]) is diversity
        np.testing.assert_allclose(diversity.result(), expected, rtol=1e-14)
    with pytest.raises(ValueError, match="at least 4 images"):
        Diversity().add(images[:3]).result()
    with pytest.raises(ValueError, match=r"shape \[24, 24, 1\] after \[28, 28, 1\]"):
        Diversity().add(images).add(textures(1, (24, 24, 1), 0))


def test_collapse_is_less_diverse():
    images = textures(20, (28, 28, 1), 9)
    collapsed = (images[:1] * 0.9 + images * 0.1).astype(np.uint8)
    assert Diversity().add(collapsed).result()[0] > 0.9 > 0.5 > Diversity().add(images).result()[0]
