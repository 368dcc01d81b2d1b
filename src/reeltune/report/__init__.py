"""Pages, tables and figures of studies and benchmarks."""
