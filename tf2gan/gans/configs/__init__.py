"""The options and presets of each method. Nothing here needs TensorFlow, so that --help is quick.

A method's options and its class are in modules of the same name: `configs.dcgan` is for `gans.dcgan.DCGAN`.
"""
