"""Faces: finding them in a photo, cropping them upright, laying them back, and telling who they are."""
