#!/usr/bin/env python
from tf2gan.cli.main import run

run("doctor")
