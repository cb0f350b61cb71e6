"""The Python API of the package: it implements `tf2gan.train`, `tf2gan.load` and the others."""
