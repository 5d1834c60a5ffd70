"""Methods: what turns an aligned face into another one. One file a method, named in the manifest."""
