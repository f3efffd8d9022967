"""Training data: one ``Sample`` type, one reader per data set, and synthetic people."""
