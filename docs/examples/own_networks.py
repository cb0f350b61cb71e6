"""From a numpy array to an exported model, with networks of one's own: python docs/examples/own_networks.py"""
import sys

import numpy as np
import tensorflow as tf

import tf2gan
from tf2gan.data.synthetic import render_digit

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 600  # about two minutes on two CPU cores
images = np.stack([render_digit("train", i) for i in range(1000)])  # uint8 [1000, 28, 28, 1]; yours go here
layers = tf.keras.layers


def generator():
    return tf.keras.Sequential([layers.Dense(7 * 7 * 64, activation="relu"), layers.Reshape([7, 7, 64]),
                                layers.Conv2DTranspose(32, 4, 2, "same", activation="relu"),
                                layers.Conv2DTranspose(1, 4, 2, "same", activation="tanh")])


def discriminator():
    return tf.keras.Sequential([layers.Conv2D(32, 4, 2, "same", activation="leaky_relu"),
                                layers.Conv2D(64, 4, 2, "same", activation="leaky_relu"),
                                layers.Flatten(), layers.Dense(1)])


run = tf2gan.train("dcgan", images, generator=generator, discriminator=discriminator, steps=STEPS)
run.grid().save("digits.png")  # in a notebook, run.grid() alone shows it
print(run.evaluate("swd", num=200))
print("exported to", run.export("savedmodels/own"))
print(tf2gan.load("savedmodels/own").sample(4, seed=1).shape)
