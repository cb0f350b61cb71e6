"""With the same weights PyTorch's networks give what ours give; needs PyTorch beside TensorFlow."""
import importlib

import numpy as np
import pytest
import tensorflow as tf

from tf2gan.networks import dcgan, patchgan, pix2pix, resnet, unet

torch = pytest.importorskip("torch")
torch_networks = importlib.import_module("benchmarks.torch_networks")


def pairs(network, twin):
    """Our layers and PyTorch's, which have the same names."""
    for name, child in twin.named_children():
        mine = getattr(network, name)
        for one, other in zip(mine, child) if isinstance(child, torch.nn.ModuleList) else [(mine, child)]:
            if any(True for _ in other.children()):
                yield from pairs(one, other)
            else:
                yield one, other


def copy(network, twin, mirrored=False, map_shape=None):
    """Random weights for both. `map_shape`: (height, width, channels) of what the one dense layer makes or takes."""
    rng = np.random.default_rng(0)
    for one, other in pairs(network, twin):
        ours, theirs = list(one.trainable_variables), list(other.parameters())
        assert len(ours) == len(theirs), one.name
        is_dense = isinstance(other, torch.nn.Linear)
        if len(ours[0].shape) == 1:  # scale and offset, in whatever order
            ours = sorted(ours, key=lambda variable: "beta" in variable.name)
        for variable, parameter in zip(ours, theirs):
            value = rng.normal(0.0, 0.1, variable.shape).astype(np.float32)
            variable.assign(value)
            if is_dense:
                order = np.arange(np.prod(map_shape)).reshape(map_shape)
                order = (mirror(order) if mirrored else order).transpose(2, 0, 1).ravel()
                if value.shape[-1] > 1:
                    value = value[..., order].T
                elif value.ndim == 2:  # the discriminator's, to one logit
                    value = value[order].T
            elif value.ndim == 4:
                value = (mirror(value) if mirrored else value).transpose(3, 2, 0, 1)
            assert value.shape == tuple(parameter.shape), one.name
            with torch.no_grad():
                parameter.copy_(torch.from_numpy(np.ascontiguousarray(value)))


def mirror(values):
    """Kernels or maps [height, width, ...] turned by half a turn."""
    return values[::-1, ::-1]


def channels_first(images):
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


@pytest.mark.parametrize("make, make_twin, mirrored", [
    (lambda: unet.UNet(filters=2), lambda: torch_networks.UNet(2), False),
    (lambda: resnet.ResNet(filters=2, num_blocks=2), lambda: torch_networks.ResNet(2, 2), True),
    (lambda: patchgan.PatchGAN(2), lambda: torch_networks.PatchGAN(2), False),
    (lambda: patchgan.DISCRIMINATORS["patchgan-70"](2),
     lambda: torch_networks.PatchGAN(2, strides=(2, 2, 2, 1), norm_first=True), False),
    (lambda: pix2pix.DeepUNet(32, filters=2, dropout=0.0), lambda: torch_networks.DeepUNet(32, 2, 0.0), False)])
def test_networks_of_translation(make, make_twin, mirrored):
    network, twin = make(), make_twin()
    images = np.random.default_rng(1).uniform(-1, 1, [2, 64, 96, 3]).astype(np.float32)
    network(images)
    copy(network, twin, mirrored)
    found = twin(channels_first(images[:, ::-1, ::-1] if mirrored else images)).detach().numpy().transpose(0, 2, 3, 1)
    found = found[:, ::-1, ::-1] if mirrored else found
    expected = network(tf.constant(images), training=True).numpy()
    assert expected.std() > 1e-3
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("size, start", [(28, 7), (32, 8), (64, 8)])
def test_generator_of_dcgan(size, start):
    network = dcgan.UpsamplingGenerator((size, size, 1), filters=2)
    twin = torch_networks.UpsamplingGenerator((size, size, 1), 5, 2)
    latents = np.random.default_rng(1).normal(size=[3, 5]).astype(np.float32)
    network(latents)
    copy(network, twin, map_shape=(start, start, 4))
    expected = network(latents, training=True).numpy()
    assert expected.std() > 1e-3
    found = twin(torch.from_numpy(latents)).detach().numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("size, end", [(28, 4), (32, 4), (64, 8)])
def test_discriminator_of_dcgan(size, end):
    network = dcgan.StridedDiscriminator(2, dropout=0.0)
    twin = torch_networks.StridedDiscriminator((size, size, 3), 2, 0.0)
    images = np.random.default_rng(1).uniform(-1, 1, [4, size, size, 3]).astype(np.float32)
    network(images)
    copy(network, twin, mirrored=True, map_shape=(end, end, 16))
    expected = network(images, training=True).numpy()
    assert expected.std() > 1e-3
    found = twin(channels_first(images[:, ::-1, ::-1])).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)
