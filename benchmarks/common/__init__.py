"""Code that several benchmarks share: results files, processes, samples, and causes of disagreements."""
