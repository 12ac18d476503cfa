"""What leaves this machine, and only when asked: cards that tell the truth, models and pairs."""
