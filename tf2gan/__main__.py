"""python -m tf2gan: the command tf2gan."""
from tf2gan.cli.main import main

main()
