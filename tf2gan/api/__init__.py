"""The public face of the package, for Python: what `tf2gan.train`, `tf2gan.load` and the others are."""
