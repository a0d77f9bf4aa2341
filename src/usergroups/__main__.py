"""`python -m usergroups`: the command `usergroups`."""

import sys

from usergroups.cli import main

if __name__ == "__main__":
    sys.exit(main())
