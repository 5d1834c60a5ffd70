"""Scratches, cracks and specks of old photos: found (`lines`, `specks`), filled (`filling`), and both in one call (`scratches`).

The names of the strengths stand here, so that a window can offer them before OpenCV is there.
"""

OFF, CAREFUL, STRONG = STRENGTHS = ("off", "careful", "strong")
