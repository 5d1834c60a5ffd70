"""Whom the faces of one photo become: a person each, apart from who the face was and from one another.

Rule: Vec2Face (Wu et al., ICLR 2025), as of the identity space. A face that has a pseudonym becomes that person, in every photo
(see `album`); each other face becomes somebody who is drawn for it alone. Separate from `anonymizing`, which tries and judges,
and from the methods, which know one crop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from facestudio.faces.face import AlignedFace, Identity
from facestudio.faces.people import IdentitySpace
from facestudio.methods.base import Anonymizer, Replacing
from facestudio.methods.crops import noise_seed

AMONG = 16  # people of whom the most similar is taken, where similar ones are asked for
Nearest = Callable[
    [Identity, Sequence[Identity]], int
]  # which of some people is most like somebody, by looks and not by identity


@dataclass(frozen=True, eq=False)
class Pseudonym:
    """A person who stands for somebody: `identity`, and a `token` that says which one to whoever has the secret."""

    token: str
    identity: Identity


class Cast:
    """Whom the faces of one photo become.

    Args:
        pseudonyms: by face, whom it becomes in every photo, and behind that others that it may become where nothing of the kind
            was finished yet. nearest: picks among people who might be drawn; None takes the first.
    """

    def __init__(
        self, pseudonyms: Mapping[int, Iterator[Pseudonym]] | None = None, nearest: Nearest | None = None
    ) -> None:
        self._others = dict(pseudonyms or {})
        self._chosen = {index: next(those) for index, those in self._others.items()}
        self._now = {index: chosen.identity for index, chosen in self._chosen.items()}
        self._nearest = nearest

    def told(self, method: Anonymizer, index: int, crop: AlignedFace, seed: int, another: bool = False) -> Anonymizer:
        """`method` as it changes the face `index` in `crop`: told whom, if it can be (Replacing), else as it is.

        Without a pseudonym that is somebody who is drawn by the crop's pixels and `seed`. With one `another` takes the next
        that the face may become, if there is one. FaceStudioError when nobody can be found who is apart.
        """
        if not isinstance(method, Replacing):
            return method
        if index in self._chosen:
            following = next(self._others[index], None) if another else None
            if following is not None:
                self._chosen[index] = following
            self._now[index] = self._chosen[index].identity
        else:
            self._now.pop(index, None)
            was = method.who(crop)
            self._now[index] = self._drawn(method.people, was, noise_seed(crop.pixels, seed))
        return method.becoming(self._now[index])

    def token(self, index: int) -> str:
        """Which pseudonym the face `index` has now, "" without one."""
        return self._chosen[index].token if index in self._chosen else ""

    def _drawn(self, people: IdentitySpace, was: Identity, chance: int) -> Identity:
        others = [was, *self._now.values()]
        found = people.draw_apart(1 if self._nearest is None else AMONG, chance, others=others)
        return found[0 if self._nearest is None else self._nearest(was, found)]
