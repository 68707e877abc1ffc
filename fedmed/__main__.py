"""`python -m fedmed` is the `fedmed` command."""

import os
import sys

if sys.path[0] in ("", os.getcwd()) and not sys.flags.safe_path:
    del sys.path[0]  # as for `fedmed`: a user's random.py or torch.py in the current folder is not the library

from fedmed.cli.main import main

sys.exit(main())
