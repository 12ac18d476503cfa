"""pass@k, intervals and paired tests (pure); evaluation of a model or of its samples."""
