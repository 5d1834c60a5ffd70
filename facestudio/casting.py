"""Whom the faces of one photo become: a person each, apart from who the face was, from one another and from others of the run.

Rule: Vec2Face (Wu et al., ICLR 2025), as of the identity space. A face that has a pseudonym becomes that person, in every photo
(see `album`); each other face becomes somebody who is drawn for it alone. Separate from `anonymizing`, which tries and judges,
and from the methods, which know one crop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from facestudio.errors import FaceStudioError
from facestudio.faces.face import AlignedFace, Identity
from facestudio.faces.people import IdentitySpace
from facestudio.methods.base import Anonymizer, Replacing
from facestudio.methods.crops import noise_seed
from facestudio.newcomers import Crowd, Likeness, Newcomer, Newcomers, Views, likeness

AMONG = 16  # people of whom the most similar is taken, where similar ones are asked for
Nearest = Callable[
    [Identity, Sequence[Identity]], int
]  # which of some people is most like somebody, by looks and not by identity


@dataclass(frozen=True, eq=False)
class Pseudonym:
    """A person who stands for somebody: `identity`, and a `token` that says which one to whoever has the secret."""

    token: str
    identity: Identity


Chosen = tuple[Pseudonym | None, Identity | None]


class Cast:
    """Whom the faces of one photo become.

    Args:
        pseudonyms: by face, whom it becomes in every photo, and behind that others that it may become where nothing of the kind
            was finished yet. nearest: picks among people who might be drawn; None takes the first.
        newcomers: the new faces of the run, from those of whose other photos they are kept apart.
    """

    def __init__(
        self,
        pseudonyms: Mapping[int, Iterator[Pseudonym]] | None = None,
        nearest: Nearest | None = None,
        newcomers: Newcomers | None = None,
    ) -> None:
        self._others = dict(pseudonyms or {})
        self._chosen = {index: next(those) for index, those in self._others.items()}
        self._now = {index: chosen.identity for index, chosen in self._chosen.items()}
        self._nearest = nearest
        self._newcomers, self._photo, self._beside = newcomers, "", Crowd()
        self._shown: dict[int, Newcomer] = {}  # what the faces of this photo look like by now

    def enter(self, photo: str) -> None:
        """The photo of that content hash is worked on."""
        self._photo, self._shown = photo, {}
        self._beside = self._newcomers.beside(photo) if self._newcomers is not None else Crowd()

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

    def chosen(self, index: int) -> Chosen:
        """Whom the face `index` becomes by now, to be brought back by `choose`."""
        return self._chosen.get(index), self._now.get(index)

    def choose(self, index: int, chosen: Chosen) -> None:
        """Let the face `index` become whom it became when it was asked."""
        pseudonym, identity = chosen
        if pseudonym is not None:
            self._chosen[index] = pseudonym
        if identity is not None:
            self._now[index] = identity

    def alone(self, index: int) -> bool:
        """Whether there is no other new face, in the photo or the run, that the face `index` could be like."""
        return not self._beside and not any(other != index for other in self._shown)

    def likeness(self, index: int, views: Views) -> Likeness:
        """How like others the face `index` would be if it looked so; the same pseudonym is no other."""
        person = self.token(index)
        here = Crowd(one for other, one in self._shown.items() if other != index)
        return likeness(np.concatenate([crowd.cosines(views, person) for crowd in (self._beside, here)]))

    def show(self, index: int, views: Views) -> Newcomer:
        """The face `index` looks so by now."""
        self._shown[index] = Newcomer.of(self._photo, self.token(index), self._now.get(index), views)
        return self._shown[index]

    def hide(self, index: int) -> None:
        """The face `index` shows nobody any more."""
        self._shown.pop(index, None)

    def _drawn(self, people: IdentitySpace, was: Identity, chance: int) -> Identity:
        here, count = [was, *self._now.values()], 1 if self._nearest is None else AMONG
        try:
            found = people.draw_apart(count, chance, others=[*here, *self._beside.identities(people.embedder)])
        except FaceStudioError:  # there is a limit to how many are all apart
            found = people.draw_apart(count, chance, others=here)
        return found[0 if self._nearest is None else self._nearest(was, found)]
