"""The embedded default: small problems and a small model, so that everything runs anywhere."""
