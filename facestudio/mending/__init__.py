"""Scratches, cracks and specks of old photos: found (`lines`, `specks`, `scratches`), corrected by a person (`by_hand`), filled
(`filling`), and all of it (`mended`).

The names of the strengths stand here, so that a window can offer them before OpenCV is there.
"""

OFF, CAREFUL, STRONG = STRENGTHS = ("off", "careful", "strong")
BY_HAND = "by hand"  # nothing is looked for; what is mended is what a person marked
