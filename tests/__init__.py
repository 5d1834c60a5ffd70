"""The tests. `unit` mirrors the package, `gui` drives the window, `fakes` stands in for what is slow."""
