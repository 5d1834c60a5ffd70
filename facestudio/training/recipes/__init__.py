"""Recipes: one file per starter model, holding its settings, data, loss and validation."""
