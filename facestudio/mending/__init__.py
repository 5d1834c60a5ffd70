"""Scratches, cracks and specks of old photos: found (`lines`, `specks`, `scratches`), filled (`filling`), and both (`mended`).

The names of the strengths stand here, so that a window can offer them before OpenCV is there.
"""

OFF, CAREFUL, STRONG = STRENGTHS = ("off", "careful", "strong")
