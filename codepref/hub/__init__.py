"""The cards of models and pairs, and the upload to the hub."""
