"""Prints the requirements of setup.cfg for the newest TensorFlow, one a line: what Python 3.12 would install.

On an older Python `pip install .` takes TensorFlow 2.15, for tensorflow-addons, but most releases since run there too.
"""
import configparser
import pathlib

# Every virtual environment has pip, and nothing else yet.
from pip._vendor.packaging.requirements import Requirement

setup = configparser.ConfigParser()
setup.read(pathlib.Path(__file__).parent.parent / "setup.cfg", encoding="utf-8")
lines = setup["options"]["install_requires"] + setup["options.extras_require"]["test"]
for requirement in map(Requirement, filter(None, lines.splitlines())):
    if requirement.marker is None or requirement.marker.evaluate({"python_version": "3.12"}):
        requirement.marker = None
        print(requirement)
