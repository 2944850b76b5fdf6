"""`python -m howmany` is `howmany`."""

from howmany.cli import main

main()
