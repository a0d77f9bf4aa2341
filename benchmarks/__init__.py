"""What the SDK costs, beside what people would use instead: `python -m benchmarks`."""
