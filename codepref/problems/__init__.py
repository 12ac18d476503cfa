"""Any source of problems -> Problem records; gold solutions must pass."""
