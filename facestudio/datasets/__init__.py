"""Datasets of people who do not exist, as folders: one sub-folder a person, and tables that say how far apart people are."""
