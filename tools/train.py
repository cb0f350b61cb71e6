#!/usr/bin/env python
"""Trains a GAN: tools/train.py --model cyclegan. Results on stdout, progress on stderr."""
import signal
import sys

from tf2gan import cli, configuration, session


def main(argv=None):
    request = configuration.parse(sys.argv[1:] if argv is None else argv)
    if request.arguments.list:
        print(session.listing())
        return 0
    if request.arguments.print_config:
        print(session.resolved(request))
        return 0
    if request.arguments.dry_run:
        print(session.dry_run(request))
        return 0
    outcome = session.run(request)
    print(outcome.message)
    return {None: 0, signal.SIGINT: 130, signal.SIGTERM: 143}[outcome.signal]


if __name__ == "__main__":
    cli.run(main)
