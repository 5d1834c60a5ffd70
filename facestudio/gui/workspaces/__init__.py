"""One module a job of the product: how its widgets lie beside one another."""
