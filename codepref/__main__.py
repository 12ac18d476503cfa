"""`python -m codepref` runs the command line."""

import sys

from codepref.cli.main import main

sys.exit(main())
