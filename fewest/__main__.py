"""`python -m fewest` is `fewest`."""

from fewest.cli import main

main()
