"""The updates of cyclegan, pix2pix and dcgan in PyTorch, as good programs write them, run eagerly as most do.

In cyclegan and pix2pix, both players use the same generated images, detached for the second. Networks that are not
being updated need no gradients for their weights; Adam is the fused one; real images are in memory. Average and image
history are as in tf2gan. The memory layout has channels first or last, whichever is faster in a trial.
"""
import copy
import os
import time

import numpy as np
import torch
from torch.nn import functional

from benchmarks import timing, torch_networks

NUM_BATCHES = 64  # of real images in memory


class _Average:
    def __init__(self, network, decay):
        self._pairs = [], []
        self._decay = decay
        if decay is not None:
            average = copy.deepcopy(network).requires_grad_(False)
            self._pairs = list(average.parameters()), list(network.parameters())

    def update(self):
        if self._decay is not None:
            torch._foreach_lerp_(*self._pairs, 1.0 - self._decay)


class _Pool:
    """See `tf2gan.gans.image_pool.ImagePool`."""

    def __init__(self, size):
        self._size, self._images = size, []

    def query(self, images):
        shown = []
        for image in images.detach().split(1) if self._size else ():
            if len(self._images) < self._size:
                self._images.append(image)
                shown.append(image)
            elif torch.rand(()) < 0.5:
                slot = int(torch.randint(self._size, ()))
                shown.append(self._images[slot])
                self._images[slot] = image
            else:
                shown.append(image)
        return torch.cat(shown) if self._size else images.detach()


class Torch:
    """A contestant; see `contestants.Contestant`, which needs TensorFlow."""

    def __init__(self, job):
        self._config, self._job = job["config"], job
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        torch.manual_seed(self._config["seed"])
        torch.set_flush_denormal(True)

    def first_step(self):
        began = time.perf_counter()
        self._build(channels_last=True)
        self.step()
        return {"seconds": time.perf_counter() - began,
                "parameters": sum(p.numel() for group in self._parameters for p in group)}

    def warm_up(self, seconds):
        """Also finds the faster memory layout."""
        took = {}
        for layout in (True, False):
            self._build(layout)
            timing.each(self.step, 2)
            count, end = [], time.perf_counter() + seconds / 2
            while len(count) < 3 or time.perf_counter() < end:
                count += timing.each(self.step, 1)
            took[layout] = float(np.median(count))
        self._build(min(took, key=took.get))
        timing.each(self.step, 2)
        return min(took.values())

    def block(self, steps):
        return sum(timing.each(self.step, steps)) / steps

    def step(self):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self._job["precision"] == "bfloat16"):
            logs = self._step()
        return {name: float(value) for name, value in logs.items()}

    def _build(self, channels_last):
        self._layout = torch.channels_last if channels_last else torch.contiguous_format
        make, self._step = {"cyclegan": (self._build_translation, self._translation_step),
                            "pix2pix": (self._build_pairs, self._pairs_step),
                            "dcgan": (self._build_noise, self._noise_step)}[self._job["model"]]
        self._parameters = make()

    def _adam(self, parameters, learning_rate):
        betas = (self._config["beta_1"], self._config.get("beta_2", 0.999))
        return torch.optim.Adam(parameters, learning_rate, betas, eps=1e-7, fused=True)

    def _random(self, batch_size, channels, size):
        """NUM_BATCHES batches of noise in [-1, 1]; the time of a step does not depend on the pixels."""
        return [(2.0 * torch.rand(batch_size, channels, *size) - 1.0).to(memory_format=self._layout)
                for _ in range(NUM_BATCHES)]

    def _placed(self, network):
        return network.to(memory_format=self._layout).train()

    # Unpaired translation.

    def _build_translation(self):
        config, size = self._config, self._job["image_shape"][:2]

        def generator():
            if config["generator"] == "resnet":
                blocks = config["num_blocks"] or (9 if min(size) >= 256 else 6)
                return self._placed(torch_networks.ResNet(config["generator_filters"] or 64, blocks))
            return self._placed(torch_networks.UNet(config["generator_filters"] or 32, config["dropout"]))

        self._xy, self._yx = generator(), generator()
        self._judges = [self._placed(torch_networks.PatchGAN(config["discriminator_filters"])) for _ in range(2)]
        self._averages = [_Average(network, config["ema_decay"]) for network in (self._xy, self._yx)]
        self._pools = [_Pool(config["pool_size"]) for _ in range(2)]
        self._data = list(zip(self._random(config["batch_size"], 3, size), self._random(config["batch_size"], 3, size)))
        players = [[*self._xy.parameters(), *self._yx.parameters()],
                   [p for judge in self._judges for p in judge.parameters()]]
        self._optimizers = [self._adam(parameters, config["learning_rate"]) for parameters in players]
        return players

    def _translation_step(self):
        config, l1, logs, loss = self._config, functional.l1_loss, {}, 0.0
        real_x, real_y = self._data[int(torch.randint(NUM_BATCHES, ()))]
        for judge in self._judges:
            judge.requires_grad_(False)
        fake_y, fake_x = self._xy(real_x), self._yx(real_y)
        for name in ("adversarial", "cycle", "identity"):
            weight = config[f"{name}_weight"]
            if not weight:
                continue
            if name == "adversarial":
                terms = [_squared(self._judges[0](fake_x), 1.0), _squared(self._judges[1](fake_y), 1.0)]
            elif name == "cycle":
                terms = [l1(self._yx(fake_y).float(), real_x), l1(self._xy(fake_x).float(), real_y)]
            else:
                terms = [l1(self._yx(real_x).float(), real_x), l1(self._xy(real_y).float(), real_y)]
            logs[f"{name}_x"], logs[f"{name}_y"] = (term.detach() for term in terms)
            loss = loss + weight * sum(terms)
        self._optimizers[0].zero_grad()
        loss.backward()
        self._optimizers[0].step()
        self._optimizers[1].zero_grad()
        for i, (real, fake) in enumerate(((real_x, fake_x), (real_y, fake_y))):
            self._judges[i].requires_grad_(True)
            of_real, of_fake = self._judges[i](real), self._judges[i](self._pools[i].query(fake))
            discriminator_loss = 0.5 * (_squared(of_real, 1.0) + _squared(of_fake, 0.0))
            discriminator_loss.backward()
            logs[f"discriminator_loss_{i}"] = discriminator_loss.detach()
        self._optimizers[1].step()
        for average in self._averages:
            average.update()
        return {"generator_loss": loss.detach(), **logs}

    # Translation of pairs.

    def _build_pairs(self):
        config, size = self._config, self._job["image_shape"][:2]
        dropout = 0.5 if config["dropout"] is None else config["dropout"]
        self._generator = self._placed(torch_networks.DeepUNet(min(size), config["generator_filters"] or 64, dropout))
        self._discriminator = self._placed(torch_networks.PatchGAN(
            config["discriminator_filters"], channels=6, strides=(2, 2, 2, 1), norm_first=True))
        self._averages = [_Average(self._generator, config["ema_decay"])]
        self._data = list(zip(self._random(config["batch_size"], 3, size), self._random(config["batch_size"], 3, size)))
        players = [list(self._generator.parameters()), list(self._discriminator.parameters())]
        self._optimizers = [self._adam(parameters, config["learning_rate"]) for parameters in players]
        return players

    def _pairs_step(self):
        config, cross_entropy = self._config, functional.binary_cross_entropy_with_logits
        inputs, targets = self._data[int(torch.randint(NUM_BATCHES, ()))]
        self._discriminator.requires_grad_(False)
        fake = self._generator(inputs)
        judged = self._discriminator(torch.cat([inputs, fake], 1)).float()
        adversarial = cross_entropy(judged, torch.ones_like(judged))
        l1 = functional.l1_loss(fake.float(), targets)
        loss = config["adversarial_weight"] * adversarial + config["l1_weight"] * l1
        self._optimizers[0].zero_grad()
        loss.backward()
        self._optimizers[0].step()
        self._discriminator.requires_grad_(True)
        pairs = torch.cat([torch.cat([inputs, targets], 1), torch.cat([inputs, fake.detach().float()], 1)])
        of_real, of_fake = self._discriminator(pairs).float().chunk(2)
        discriminator_loss = 0.5 * (cross_entropy(of_real, torch.ones_like(of_real))
                                    + cross_entropy(of_fake, torch.zeros_like(of_fake)))
        self._optimizers[1].zero_grad()
        discriminator_loss.backward()
        self._optimizers[1].step()
        self._averages[0].update()
        return {"generator_loss": loss.detach(), "adversarial": adversarial.detach(), "l1": l1.detach(),
                "discriminator_loss": discriminator_loss.detach()}

    # Images from latents.

    def _build_noise(self):
        config, (height, width, channels) = self._config, self._job["image_shape"]
        shape = (height, width, channels)
        self._generator = self._placed(torch_networks.UpsamplingGenerator(
            shape, config["latent_size"], config["generator_filters"] or 64, config["generator_dropout"]))
        self._discriminator = self._placed(torch_networks.StridedDiscriminator(
            shape, config["discriminator_filters"] or 32, config["discriminator_dropout"]))
        self._averages = [_Average(self._generator, config["ema_decay"])]
        self._num_real = config["batch_size"] // 2 if config["half_batches"] else config["batch_size"]
        self._data = self._random(self._num_real, channels, (height, width))
        players = [list(self._generator.parameters()), list(self._discriminator.parameters())]
        self._optimizers = [self._adam(players[0], config["generator_learning_rate"]),
                            self._adam(players[1], config["discriminator_learning_rate"])]
        return players

    def _noise_step(self):
        config, cross_entropy = self._config, functional.binary_cross_entropy_with_logits
        real = self._data[int(torch.randint(NUM_BATCHES, ()))]
        with torch.no_grad():
            fake = self._generator(torch.randn(self._num_real, config["latent_size"]))
        self._discriminator.requires_grad_(True)
        of_real, of_fake = self._discriminator(real).float(), self._discriminator(fake).float()
        discriminator_loss = config["discriminator_loss_weight"] * (
            cross_entropy(of_real, torch.ones_like(of_real)) + cross_entropy(of_fake, torch.zeros_like(of_fake)))
        self._optimizers[1].zero_grad()
        discriminator_loss.backward()
        self._optimizers[1].step()
        self._discriminator.requires_grad_(False)
        judged = self._discriminator(self._generator(torch.randn(config["batch_size"], config["latent_size"]))).float()
        generator_loss = cross_entropy(judged, torch.ones_like(judged))
        self._optimizers[0].zero_grad()
        generator_loss.backward()
        self._optimizers[0].step()
        self._averages[0].update()
        return {"generator_loss": generator_loss.detach(), "discriminator_loss": discriminator_loss.detach(),
                "real_accuracy": (of_real > 0).float().mean(), "fake_accuracy": (of_fake <= 0).float().mean()}


def _squared(logits, target):
    return (logits.float() - target).square().mean()
