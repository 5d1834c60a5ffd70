"""Training: one recipe per starter model, one loop for all. A sibling of `gui` and `cli`; nothing imports it."""
