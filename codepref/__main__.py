"""`python -m codepref` is `codepref`."""

import sys

from codepref.cli.main import main

sys.exit(main())
