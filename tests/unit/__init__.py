"""One file of tests a module, named after it."""
