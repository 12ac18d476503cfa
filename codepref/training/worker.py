"""One process of several that train a model: `python -m codepref.training.worker FOLDER`, see `launch`."""

import sys
from pathlib import Path

from codepref.training.launch import work

if __name__ == "__main__":
    work(Path(sys.argv[1]))
