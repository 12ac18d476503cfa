"""One process of several that train a model: `python -m codepref.training.worker FOLDER`, see `launch`."""

import sys
from pathlib import Path

from codepref.training.launch import work
from codepref.training.processes import own_end

if __name__ == "__main__":
    with own_end():
        work(Path(sys.argv[1]))
