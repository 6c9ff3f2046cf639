"""`python -m placet` is the command line."""

from placet.cli import main

main()
