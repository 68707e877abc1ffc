"""`python -m fedmed` is the `fedmed` command."""

import sys

from fedmed.cli.main import main

sys.exit(main())
