"""What is kept of sets of images, and the figures of two sets, against numbers known beforehand."""
import numpy as np
import pytest

from tf2gan.core.errors import UserError
from tf2gan.metrics import registry, similarity, sliced_wasserstein, statistics
from tf2gan.metrics.values import Figure, better


class Fake:
    """An extractor that counts what it reads: features are the first pixels, probabilities those of their class."""

    name = "fake"

    def __init__(self, classes=3, certain=True):
        self.classes, self.certain, self.read = classes, certain, 0

    def __call__(self, images):
        self.read += len(images)
        features = images[:, 0, :4, 0].astype(np.float32) / 64
        if not self.classes:
            return {"features": features}
        rows = np.eye(self.classes, dtype=np.float32)[images[:, 0, 0, 0] % self.classes]
        read = rows if self.certain else (rows + 1) / (1 + self.classes)
        return {"features": features, "probabilities": read, "class_probabilities": read}


def pictures(num=24, seed=0, size=16):
    return np.random.default_rng(seed).integers(0, 256, [num, size, size, 1], np.uint8)


def observe(images, reads, extractor=None, batch=7, **changes):
    batches = (images[start:start + batch] for start in range(0, len(images), batch))
    return registry.observe(batches, reads, extractor, images.shape[1:], **changes)


def test_one_pass_keeps_what_is_read():
    images, extractor, counted = pictures(), Fake(), []
    arrays = observe(images, {"features", "probabilities", "descriptors", "similarity"}, extractor, seed=3,
                     progress=counted.append)
    assert counted == [7, 7, 7, 3] and extractor.read == 24
    assert arrays.keys() == {"features", "probabilities", "class_probabilities", "descriptors_16", "similarity"}
    np.testing.assert_array_equal(arrays["features"], images[:, 0, :4, 0] / np.float32(64))
    np.testing.assert_array_equal(arrays["descriptors_16"],
                                  sliced_wasserstein.Descriptors((16, 16, 1), 3).add(images).arrays()[16])
    np.testing.assert_array_equal(arrays["similarity"], similarity.Diversity().add(images).result())
    again = observe(images, {"descriptors", "similarity"}, None, batch=24, seed=3)
    assert again.keys() == {"descriptors_16", "similarity"}
    for name, array in again.items():
        np.testing.assert_array_equal(array, arrays[name])


def test_an_extractor_without_probabilities():
    assert observe(pictures(), {"features"}, Fake(0)).keys() == {"features"}
    with pytest.raises(UserError) as caught:
        observe(pictures(), {"probabilities"}, Fake(0))
    assert str(caught.value) == ("the extractor fake gives no probabilities; --metrics can be "
                                 "fid,kid,pr,dc,swd,ms-ssim,classes")


def test_figures_are_those_of_the_arrays():
    reads = {metric.reads for metric in registry.METRICS.values()}
    extractor = Fake(certain=False)
    real, fake = (observe(pictures(num, seed), reads, extractor) for num, seed in ((30, 1), (24, 2)))
    found = registry.compute(list(registry.METRICS), real, fake, seed=4)
    assert list(found) == [figure for metric in registry.METRICS.values() for figure in metric.gives]
    features = real["features"], fake["features"]
    assert found["fid"] == (statistics.frechet_distance(*features), None)
    assert found["kid"] == statistics.kernel_distance(*features, 100, 12, 4)
    assert found["is"] == statistics.inception_score(fake["probabilities"], 10)
    assert (found["precision"][0], found["recall"][0]) == statistics.precision_recall(*features, 3)
    assert (found["density"][0], found["coverage"][0]) == statistics.density_coverage(*features, 5)
    assert found["ms_ssim"] == similarity.Diversity().add(pictures(24, 2)).result()
    as_many = [{16: sliced_wasserstein.Descriptors((16, 16, 1)).add(pictures(num, seed)[:24]).arrays()[16]}
               for num, seed in ((30, 1), (24, 2))]
    assert found["swd"] == (sliced_wasserstein.sliced_wasserstein(*as_many, seed=4)["swd"], None)
    counts = [np.bincount(pictures(num, seed)[:, 0, 0, 0] % 3, minlength=3) / num for num, seed in ((30, 1), (24, 2))]
    np.testing.assert_array_equal(registry.class_shares(real), counts[0])
    assert found["class_distance"][0] == pytest.approx(np.abs(counts[0] - counts[1]).sum() / 2)
    assert found["sure"] == (0.0, None)  # 0.5 for one class, 0.25 for two others


def test_figures_of_a_set_beside_itself():
    reads = {metric.reads for metric in registry.METRICS.values()}
    arrays = observe(pictures(40), reads, Fake())
    found = {name: value for name, (value, _) in registry.compute(list(registry.METRICS), arrays, arrays).items()}
    assert found["fid"] == pytest.approx(0, abs=1e-9) and found["swd"] == found["class_distance"] == 0
    assert found["precision"] == found["recall"] == found["coverage"] == found["sure"] == 1
    # Ten splits of four images, whose one-hot rows show k classes in c_i images each: exp of the entropy.
    labels = (pictures(40)[:, 0, 0, 0] % 3).reshape(10, 4)
    shares = np.stack([(labels == label).mean(axis=1) for label in range(3)], axis=1)
    entropy = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1)
    assert found["is"] == pytest.approx(np.exp(entropy).mean())


@pytest.mark.parametrize("size, figures", [(16, ["swd"]), (32, ["swd_32", "swd_16", "swd"])])
def test_levels_are_told_where_there_are_several(size, figures):
    arrays = [observe(pictures(6, seed, size), {"descriptors"}) for seed in range(2)]
    found = registry.compute(["swd"], *arrays)
    assert list(found) == figures
    if size == 32:
        assert found["swd"][0] == pytest.approx((found["swd_32"][0] + found["swd_16"][0]) / 2)


@pytest.mark.parametrize("nums, size", [((2, 900), 2), ((5, 5), 2), ((22, 40), 11), ((10 ** 4, 1999), 999),
                                        ((10 ** 4, 10 ** 5), 1000)])
def test_subsets_of_kid_are_no_more_than_half(nums, size):
    assert registry.subset_size(*nums) == registry.subset_size(*nums[::-1]) == size


def test_lists_of_metrics():
    assert registry.parse("fid, KID,swd,fid,") == ("fid", "kid", "swd")
    for text in ("", " , "):
        with pytest.raises(UserError, match="needed: one or more of fid,kid,is,pr,dc,swd,ms-ssim,classes"):
            registry.parse(text)
    with pytest.raises(UserError, match="unknown metric 'fdi': did you mean 'fid'"):
        registry.parse("kid,fdi")


def test_sizes_and_numbers_that_are_too_small():
    assert [registry.fits("swd", (16, 99, 3)), registry.fits("swd", (99, 15, 3))] == [True, False]
    assert [registry.fits("ms-ssim", (11, 11, 1)), registry.fits("ms-ssim", (10, 11, 1))] == [True, False]
    assert registry.fits("fid", (1, 1, 1))
    registry.check_size(["fid", "swd"], (16, 16))
    with pytest.raises(UserError, match="--metrics ms-ssim: images of 10x12 are too small for it"):
        registry.check_size(["fid", "ms-ssim"], (10, 12))
    reads = {metric.reads for metric in registry.METRICS.values()}
    for name, metric in registry.METRICS.items():  # the least number is enough, and one less is told
        arrays = observe(pictures(metric.least), {metric.reads} & reads, Fake())
        registry.check_num([name], metric.least, "x")
        assert np.isfinite([value for value, _ in registry.compute([name], arrays, arrays).values()]).all()
        with pytest.raises(UserError) as caught:
            registry.check_num(["fid", name], metric.least - 1, "samples")
        assert "needs at least" in str(caught.value) and f"samples has {metric.least - 1}" in str(caught.value)


def test_the_protocol_says_what_its_metrics_take():
    everything = registry.parameters(list(registry.METRICS), 3000, 500)
    assert everything.keys() == {"kid", "is", "pr", "dc", "swd", "ms-ssim", "classes"}
    assert everything["kid"]["subset_size"] == 250 and everything["swd"]["num"] == 500
    assert everything["ms-ssim"] == {"pairs": 250}
    assert registry.parameters(["fid", "pr"], 10, 10) == {"pr": {"neighbors": 3}}


@pytest.mark.parametrize("metric, end", [
    ("fid", "lower"), ("kid_a2b", "lower"), ("swd_28", "lower"), ("ms_ssim", "lower"), ("ms_ssim_b2a", "lower"),
    ("cycle_l1_a2b", "lower"), ("color_distance_b2a", "lower"), ("class_distance", "lower"), ("l1_a2b", "lower"),
    ("is", "higher"), ("is_a2b", "higher"), ("precision", "higher"), ("coverage_b2a", "higher"),
    ("agreement", "higher"), ("psnr_a2b", "higher"), ("ssim_a2b", "higher"), ("sure", None), ("fidelity", None)])
def test_which_end_is_better(metric, end):
    assert better(metric) == end


def test_a_figure_has_no_deviation_unless_it_is_given():
    assert Figure("fid", "fid10", 1.0).deviation is None
    assert Figure("kid", "kid10", 1.0, 0.5).deviation == 0.5
