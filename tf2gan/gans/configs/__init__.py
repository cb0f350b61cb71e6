"""The options of each method, its presets and their numbers. Nothing here needs TensorFlow, so that --help is quick.

A method's module has the same name as its class's: `configs.dcgan` has the numbers of `gans.dcgan.DCGAN`.
"""
