"""The networks of cyclegan, pix2pix and dcgan in PyTorch, those of `tf2gan.networks` layer for layer, channels first.

If `same` padding is an odd number of rows, TensorFlow adds the odd one at the end, but usual PyTorch code at the start.
The usual code is kept, which costs nothing: such a network is the mirror image of ours, in height and width.
"""
import math

import torch
from torch import nn
from torch.nn import functional

WEIGHTS_STDDEV = 0.02


def _initialized(layer):
    nn.init.normal_(layer.weight, 0.0, WEIGHTS_STDDEV)
    return layer


def _instance_norm(channels):
    return nn.InstanceNorm2d(channels, eps=1e-5, affine=True)


class UNet(nn.Module):
    """See `tf2gan.networks.unet.UNet`."""

    def __init__(self, filters=32, dropout=0.0):
        super().__init__()
        widths = [filters, 2 * filters, 4 * filters, 8 * filters]
        ups = widths[-2::-1]
        inputs = [widths[-1], 2 * ups[0], 2 * ups[1]]
        self.down_convolutions = nn.ModuleList(
            _initialized(nn.Conv2d(n, width, 4, 2, padding=1)) for n, width in zip([3, *widths], widths))
        self.down_norms = nn.ModuleList(_instance_norm(width) for width in widths)
        self.up_convolutions = nn.ModuleList(
            _initialized(nn.Conv2d(n, width, 4, padding="same")) for n, width in zip(inputs, ups))
        self.up_norms = nn.ModuleList(_instance_norm(width) for width in ups)
        self.to_image = _initialized(nn.Conv2d(2 * ups[-1], 3, 4, padding="same"))
        self.dropout = dropout

    def forward(self, x):
        skips = []
        for conv, norm in zip(self.down_convolutions, self.down_norms):
            x = norm(functional.leaky_relu(conv(x), 0.2))
            skips.append(x)
        for conv, norm, skip in zip(self.up_convolutions, self.up_norms, skips[-2::-1]):
            x = functional.relu(conv(_doubled(x)))
            x = functional.dropout(x, self.dropout, self.training) if self.dropout else x
            x = torch.cat([norm(x), skip], 1)
        return torch.tanh(self.to_image(_doubled(x)))


def _doubled(x):
    return functional.interpolate(x, scale_factor=2, mode="nearest")


class DeepUNet(nn.Module):
    """See `tf2gan.networks.pix2pix.DeepUNet`; `dropout` as there."""

    def __init__(self, size, filters=64, dropout=0.5):
        super().__init__()
        num = int(math.log2(size))
        widths = [filters * min(2 ** i, 8) for i in range(num)]
        self.down_convolutions = nn.ModuleList(
            _initialized(nn.Conv2d(n, width, 4, 2, padding=1, bias=i in (0, num - 1)))
            for i, (n, width) in enumerate(zip([3, *widths], widths)))
        self.down_norms = nn.ModuleList(_instance_norm(width) for width in widths[1:-1])
        ups = widths[-2::-1]
        self.up_convolutions = nn.ModuleList(
            _initialized(nn.ConvTranspose2d(n, width, 4, 2, padding=1, bias=False))
            for n, width in zip([widths[-1], *(2 * width for width in ups)], ups))
        self.up_norms = nn.ModuleList(_instance_norm(width) for width in ups)
        self.to_image = _initialized(nn.ConvTranspose2d(2 * ups[-1], 3, 4, 2, padding=1))
        self.dropout = dropout

    def forward(self, x):
        norms, skips = [None, *self.down_norms, None], []
        for conv, norm in zip(self.down_convolutions, norms):
            x = conv(x)
            x = functional.leaky_relu(x if norm is None else norm(x), 0.2)
            skips.append(x)
        for i, (conv, norm, skip) in enumerate(zip(self.up_convolutions, self.up_norms, skips[-2::-1])):
            x = norm(conv(x))
            x = functional.dropout(x, self.dropout, self.training) if self.dropout and i < 3 else x
            x = functional.relu(torch.cat([x, skip], 1))
        return torch.tanh(self.to_image(x))


class ResidualBlock(nn.Module):
    def __init__(self, filters):
        super().__init__()
        self.convolutions = nn.ModuleList(
            _initialized(nn.Conv2d(filters, filters, 3, padding=1, padding_mode="reflect", bias=False))
            for _ in range(2))
        self.norms = nn.ModuleList(_instance_norm(filters) for _ in range(2))

    def forward(self, inputs):
        x = functional.relu(self.norms[0](self.convolutions[0](inputs)))
        return inputs + self.norms[1](self.convolutions[1](x))


class ResNet(nn.Module):
    """See `tf2gan.networks.resnet.ResNet`; the mirror image."""

    def __init__(self, filters=64, num_blocks=9):
        super().__init__()
        self.from_image = _initialized(nn.Conv2d(3, filters, 7, padding=3, padding_mode="reflect", bias=False))
        self.down_convolutions = nn.ModuleList(
            _initialized(nn.Conv2d(filters * 2 ** i, filters * 2 ** (i + 1), 3, 2, padding=1, bias=False))
            for i in range(2))
        self.blocks = nn.ModuleList(ResidualBlock(4 * filters) for _ in range(num_blocks))
        self.up_convolutions = nn.ModuleList(
            _initialized(nn.ConvTranspose2d(filters * 2 ** (i + 1), filters * 2 ** i, 3, 2, padding=1,
                                            output_padding=1, bias=False)) for i in (1, 0))
        self.norms = nn.ModuleList(_instance_norm(filters * n) for n in (1, 2, 4, 2, 1))
        self.to_image = _initialized(nn.Conv2d(filters, 3, 7, padding=3, padding_mode="reflect"))

    def forward(self, x):
        x = functional.relu(self.norms[0](self.from_image(x)))
        for conv, norm in zip(self.down_convolutions, self.norms[1:3]):
            x = functional.relu(norm(conv(x)))
        for block in self.blocks:
            x = block(x)
        for conv, norm in zip(self.up_convolutions, self.norms[3:]):
            x = functional.relu(norm(conv(x)))
        return torch.tanh(self.to_image(x))


class PatchGAN(nn.Module):
    """See `tf2gan.networks.patchgan.PatchGAN`."""

    def __init__(self, filters=64, channels=3, strides=(2, 2, 2, 2), norm_first=False):
        super().__init__()
        widths = [filters, 2 * filters, 4 * filters, 8 * filters]
        self.convolutions = nn.ModuleList(
            _initialized(nn.Conv2d(n, width, 4, stride, padding=1 if stride == 2 else "same"))
            for n, width, stride in zip([channels, *widths], widths, strides))
        self.norms = nn.ModuleList(_instance_norm(width) for width in widths[1:])
        self.to_logits = _initialized(nn.Conv2d(widths[-1], 1, 4, padding="same"))
        self.norm_first = norm_first

    def forward(self, x):
        x = functional.leaky_relu(self.convolutions[0](x), 0.2)
        for conv, norm in zip(self.convolutions[1:], self.norms):
            x = conv(x)
            x = functional.leaky_relu(norm(x), 0.2) if self.norm_first else norm(functional.leaky_relu(x, 0.2))
        return self.to_logits(x)


def _batch_norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.2)  # what Keras calls momentum is 1 - 0.2


class UpsamplingGenerator(nn.Module):
    """See `tf2gan.networks.dcgan.UpsamplingGenerator`."""

    def __init__(self, image_shape, latent_size=100, filters=64, dropout=0.0):
        super().__init__()
        doublings = max(2, int(math.log2(image_shape[0] / 7)))
        while doublings > 2 and image_shape[0] % 2 ** doublings:
            doublings -= 1
        start, widths = image_shape[0] // 2 ** doublings, [2 * filters] * (doublings - 1) + [filters]
        self.first = (2 * filters, start, start)
        self.dense = nn.Linear(latent_size, math.prod(self.first))
        self.dense_norm = _batch_norm(2 * filters)
        self.convolutions = nn.ModuleList(nn.Conv2d(n, width, 3, padding=1)
                                          for n, width in zip([2 * filters, *widths], widths))
        self.norms = nn.ModuleList(_batch_norm(width) for width in widths)
        self.to_image = nn.Conv2d(widths[-1], image_shape[-1], 3, padding=1)
        self.dropout = dropout

    def forward(self, latents):
        x = self.dense_norm(functional.relu(self.dense(latents)).reshape(-1, *self.first))
        for conv, norm in zip(self.convolutions, self.norms):
            x = norm(functional.relu(conv(_doubled(x))))
            x = functional.dropout(x, self.dropout, self.training) if self.dropout else x
        return torch.tanh(self.to_image(x))


class StridedDiscriminator(nn.Module):
    """See `tf2gan.networks.dcgan.StridedDiscriminator`, with batch normalization; the mirror image."""

    def __init__(self, image_shape, filters=32, dropout=0.25):
        super().__init__()
        widths = [filters * 2 ** i for i in range(4)]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(n, width, 3, stride, padding=1)
            for n, width, stride in zip([image_shape[-1], *widths], widths, (2, 2, 2, 1)))
        self.norms = nn.ModuleList(_batch_norm(width) for width in widths[1:3])
        size = -(-(image_shape[0] // 4 + image_shape[0] // 4 % 2) // 2)
        self.to_logit = nn.Linear(widths[-1] * size * size, 1)
        self.dropout = dropout

    def forward(self, x):
        for i, conv in enumerate(self.convolutions):
            x = conv(x)
            if i == 1 and x.shape[-1] % 2:
                x = functional.pad(x, (1, 0, 1, 0))
            x = functional.leaky_relu(x, 0.2)
            x = functional.dropout(x, self.dropout, self.training) if self.dropout else x
            if i in (1, 2):
                x = self.norms[i - 1](x)
        return self.to_logit(x.flatten(1))
