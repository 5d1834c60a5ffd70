"""Networks: torch modules only. They know tensors, never photos or files; attribute names are the checkpoint's keys."""
