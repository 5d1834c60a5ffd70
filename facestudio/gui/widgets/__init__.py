"""Parts of the window. They know the Session and the theme, and never one another, except as parts of themselves."""
