"""codepref aligns code language models by preference learning, and says honestly whether it helped."""

__version__ = "0.1.0"
