"""The tests; their tree mirrors the package's."""
