"""`python -m kgmill`: the command `kgmill`."""

from kgmill.flows.cli import main

main()
