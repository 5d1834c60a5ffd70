"""What a run and its judges come to, in sentences: the same ones on the command line, in the window and on the page."""

from __future__ import annotations

from facestudio.datasets.asking import people
from facestudio.datasets.measuring import Pairs
from facestudio.datasets.page import alike, percent
from facestudio.datasets.running import Drawn
from facestudio.datasets.tables import Measured

__all__ = ["alike", "faces", "here", "made", "missing", "proof"]


def made(drawn: Drawn) -> str:
    """What the run did."""
    words = f"{people(drawn.made)} drawn, {drawn.kept} kept."
    were = "was" if drawn.replaced == 1 else "were"
    if drawn.replaced:
        words += f" {people(drawn.replaced)} {were} replaced, because those planned first looked too much like others."
    if drawn.too_like:
        stay = "stays" if drawn.too_like == 1 else "stay"
        words += f" {people(drawn.too_like)} {stay}, although too much like others; the report says whom."
    return words


def here(measured: Measured) -> str:
    """What is in the folder now, and how much of it is marked, and why something would be."""
    there = f"{people(len(measured.people))} with {_counted(measured.pictures, 'picture')} in all"
    return f"{there}, {measured.marked or 'none'} of them marked as showing no face or somebody else"


def missing(measured: Measured) -> str:
    """Who is lacking, as a sentence; "" when nobody is."""
    return f"Not there yet: {people(len(measured.missing))} of those asked for." if measured.missing else ""


def faces(measured: Measured) -> str:
    """In how many pictures a face was found."""
    return f"Faces were found in {percent(measured.faces / measured.pictures)} of the pictures."


def proof(pairs: Pairs) -> str:
    """How often a judge knows people of the dataset again, and how often it takes two of them for one; there may be no pairs."""
    same, different = int(pairs.same.sum()), int(pairs.different.sum())
    again = f"{percent(pairs.same_share)} of {_counted(same, 'pair')} of one person known again"
    mistaken = f"{percent(pairs.different_share, 3)} of {_counted(different, 'pair')} of two mistaken"
    words = (
        again if same else "no person has two pictures to compare",
        mistaken if different else "there are no two people to compare",
    )
    return ", ".join(words)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
