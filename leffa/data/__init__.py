"""Training data: ``Sample`` (sample), a reader per data set, and samples on disk as plain arrays (packed)."""
