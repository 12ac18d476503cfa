"""What several benchmarks share: results files, processes, samples, causes of disagreements."""
