"""Every decision about the Generate workspace: who is drawn, how, and what sliders and saved recipes change.

The GUI thread only, like the session, beside which it stands: it shares the queues, and nothing of the open photo. What was made
is in `made`, the work itself in `generate_work` and `saving`. It knows no widget and shows no dialog.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal, Slot

from facestudio.errors import UsageError
from facestudio.generating import MOST
from facestudio.gui import generate_work
from facestudio.gui.casting import A, Casting, person_of
from facestudio.gui.found import Source
from facestudio.gui.generate_work import Ability
from facestudio.gui.jobs import Job, JobQueue
from facestudio.gui.made import Made
from facestudio.gui.person import Person
from facestudio.gui.posing import Posing
from facestudio.gui.runs import Picture, Run
from facestudio.gui.sliding import Sliding
from facestudio.gui.workplace import counted
from facestudio.options import PERSON, PHOTO, POSE
from facestudio.recipe import Recipe
from facestudio.whom import Anybody, Drawn, Shot, shots

if TYPE_CHECKING:
    from facestudio.generating import Gallery
    from facestudio.studio import Studio

GENERATING = "drawing faces"
COUNT = 8
UNTOLD = "These weights cannot be told whom to draw."


class Making(Made):
    """The state of the Generate workspace; `current` and `selected` are places in the shown run's pictures."""

    who_changed = Signal()  # nobody or a photo, another photo, another face of it, another person who does not exist
    _made = Signal(object, object)  # from the thread that computes

    def __init__(self, studio: Studio, compute: JobQueue, light: JobQueue, parent: QObject | None = None) -> None:
        super().__init__(studio, compute, light, parent)
        self.from_photo = False
        self.person = Person(self, self._why_nobody_else)
        self.person.asked.connect(self._draw_asked)
        self.person.changed.connect(self.who_changed)
        self.casting = Casting(self)
        self.casting.changed.connect(self.who_changed)
        self.posing = Posing(self, lambda: self.ability.pose)
        self.posing.changed.connect(self.who_changed)
        self.sliding = Sliding(studio, compute, self)
        self.sliding.failed.connect(self.failed)
        self.abilities: dict[str, Ability] = {}
        self.offers_changed.connect(self._learn_abilities)
        self.recipe_changed.connect(self._offer_sliders)
        self.count = COUNT
        self._entered = False
        self._refining: Run | None = None  # the run of one picture that a slider asked for
        self._moved: Picture | None = None  # the picture that sliders move
        self._moved_of: Source | None = None  # whom it was drawn from
        self._made.connect(self._take_picture, Qt.ConnectionType.QueuedConnection)

    # ---- starting

    @Slot()
    def start(self) -> None:
        """Learn what there is to offer; called once the window has been painted."""
        self._learn_offers("create")

    @Slot()
    def _learn_abilities(self) -> None:
        ids = [offer.checkpoint.id for offer in self.offers or ()]
        self._submit(self.light, partial(generate_work.abilities, self.studio, ids), self._take_abilities)

    @Slot(object)
    def _take_abilities(self, found: dict[str, Ability]) -> None:
        self.abilities = found
        self._offer_sliders()

    @Slot()
    def _offer_sliders(self) -> None:
        self.sliding.offer(self.ability.sliders)
        self.who_changed.emit()

    # ---- who is drawn

    @property
    def ability(self) -> Ability:
        """What the chosen weights can be told."""
        return self.abilities.get(self.offer.checkpoint.id, Ability()) if self.offer is not None else Ability()

    @property
    def recipe(self) -> Recipe | None:
        """As of every workplace, with the sliders that were touched, and the pose picture."""
        recipe, pose = super().recipe, self.posing.used
        if recipe is None:
            return None
        sliders = self.sliding.used(not self.unmoved)
        return replace(recipe, sliders=sliders, pose=pose.photo.content_hash if pose else "")

    @property
    def lacking(self) -> dict[str, str]:
        """Why an option that needs something has no effect now, by what it needs."""
        found = {POSE: self.posing.lack} if self.posing.lack else {}
        if not self.from_photo:
            found[PHOTO] = "This has no effect without a photo: choose a person in a photo."
            if not self.ability.people:
                found[PERSON] = f"{UNTOLD} So this has no effect."
            elif self.casting.freely:
                found[PERSON] = "This has no effect while “Anybody” is chosen: the method is not told whom to draw."
        return found

    @property
    def unmoved(self) -> str:
        """Why no slider moves the person now, in a sentence; "" when they do."""
        shown = self._subject()
        anybody = shown is not None and isinstance(shown.portrait.recipe.person, Anybody)
        if self.from_photo or not (self.casting.freely or anybody):
            return ""
        return "These sliders change a chosen person and have no effect while “Anybody” is chosen."

    @property
    def stuck(self) -> str:
        """Why sliders do not move the current picture but the next ones, in a sentence; "" when they do, or there is none."""
        of = self.shown.source if self.picture is not None and self.shown is not None else self._moved_of
        if self._subject() is None or of is (self.source if self.from_photo else None):
            return ""
        return "This applies to the next pictures: the picture shown here is of somebody else."

    @Slot(bool)
    def keep_person(self, on: bool) -> None:
        """Let all pictures show the person of the current picture, or the one of the seed; or each its own again."""
        if not on:
            self.casting.keep(None)
            return
        shown = self.picture or next(iter(self.pictures), None)
        self.casting.keep((person_of(shown) if shown is not None else None) or Drawn(self.seed))

    def draw_from_photo(self, on: bool) -> None:
        """Draw the person in a photo, or people of nobody."""
        if on != self.from_photo:
            self.from_photo = on
            self.who_changed.emit()

    @property
    def source(self) -> Source | None:
        """The person in a photo, if one was chosen."""
        return self.person.source

    def _why_nobody_else(self) -> str:
        return "" if self.running is None else "Wait until the drawing is done, or stop it first."

    @Slot()
    def _draw_asked(self) -> None:
        self.draw_from_photo(True)

    # ---- making

    def set_count(self, count: int) -> None:
        self.count = count

    @property
    def obstacle(self) -> str:
        """Why nothing can be made now, in a few words; "" when it can."""
        if self.busy:
            return self.busy
        if self.offer is None:
            return "" if self.offers is None else "There are no weights that make faces."
        return "Choose a photo of the person first." if self.from_photo and self.source is None else ""

    @property
    def ready(self) -> bool:
        """Whether pictures can be made now."""
        return self.offer is not None and not self.obstacle

    @Slot()
    def generate(self) -> None:
        """Make `count` pictures by the recipe; what is there when it ends or is stopped is one step to undo."""
        self._generate(self._plan(self.seed, min(self.count, MOST)))

    @Slot()
    def again(self) -> None:
        """Draw the current picture's seed once more, with the options and the person in the photo as they are now."""
        if self.ready and self.picture is not None:
            self.set_seed(self.picture.seed)
            self._generate((self._shot_of(self.picture),))

    @Slot()
    def vary(self) -> None:
        """Draw other pictures of the person on the current one."""
        if self.ready and self.picture is not None and self.hindrance_to_vary == "":
            if not self.picture.portrait.recipe.reference:  # somebody who does not exist, whatever photo is chosen
                self.draw_from_photo(False)
                self.casting.keep(person_of(self.picture))
            self.set_seed(self.picture.seed + 1)
            self.generate()

    @property
    def hindrance_to_vary(self) -> str:
        """Why there can be no other pictures of the person on the current one, in a sentence; "" when there can."""
        if self.picture is None:
            return "Click a picture first."
        if self.picture.portrait.recipe.reference:
            chosen = self.from_photo and self.shown is not None and self.shown.source is self.source
            return "" if chosen else "This person comes from a photo: choose that photo under “The person in a photo”."
        return "" if person_of(self.picture) else "This person was drawn freely and cannot be drawn in other pictures."

    @property
    def hindrance_to_pin(self) -> str:
        """Why no walk can begin or end at the current picture, in a sentence; "" when one can."""
        if self.picture is None:
            return "Click a picture first."
        if self.picture.portrait.recipe.reference:
            return "A walk leads between people who do not exist, but this person comes from a photo."
        return "" if person_of(self.picture) else "A walk cannot begin or end at a person who was drawn freely."

    @Slot()
    def walk(self) -> None:
        """Draw the pictures on the way from one pin to the other; seed and sliders are those of the first."""
        if self.ready_to_walk:
            self._generate(self.casting.way(), walk=True)

    @property
    def ready_to_walk(self) -> bool:
        """Whether the way between two pins can be drawn now."""
        return bool(self.casting.way()) and self.ability.people and self.offer is not None and not self.busy

    def _plan(self, seed: int, count: int) -> tuple[Shot, ...]:
        return shots(seed, count) if self.from_photo or not self.ability.people else self.casting.plan(seed, count)

    def _shot_of(self, picture: Picture) -> Shot:
        """`picture`, to be drawn again as things are now."""
        recipe = picture.portrait.recipe
        if self.from_photo or not self.ability.people or recipe.person is None:
            return self._plan(picture.seed, 1)[0]
        return Shot(picture.seed, recipe.person)

    def _generate(self, plan: tuple[Shot, ...], walk: bool = False) -> None:
        recipe = self.recipe
        if recipe is None or not (self.ready_to_walk if walk else self.ready):
            return
        chosen = self.source if self.from_photo and not walk else None
        if walk:
            recipe = replace(recipe, sliders=self.casting.pins[A].sliders)
        self.sliding.drop()
        run = Run(replace(recipe, seed=plan[0].seed), plan, chosen)
        self.running, self.current, self.selected = run, None, frozenset()
        made = partial(self._made.emit, run.key)
        who = chosen.who if chosen else None
        told = None if chosen else plan
        pose = self.posing.used.photo if self.posing.used else None
        todo = partial(generate_work.make, self.studio, run.recipe, run.count, who, told, pose, made)
        self.carry_out(GENERATING, todo, self._take_gallery)
        self._show_run()

    # ---- sliders

    @Slot(str, float)
    def slide(self, name: str, value: float) -> None:
        """A slider is being moved: show a draft of the current picture with it."""
        self.sliding.set_value(name, value)
        if self.doing == GENERATING and self._refining is not None:
            self._stop_refining()
        recipe = self.recipe
        if self.busy or recipe is None or self.stuck or (subject := self._subject()) is None:
            return
        self._moved, self._moved_of = subject, self.source if self.from_photo else None
        source = self.source.who if self.from_photo and self.source else None
        self.sliding.ask(replace(recipe, seed=subject.seed), None if source else self._shot_of(subject), source)

    @Slot()
    def slid(self) -> None:
        """A slider was let go: draw the fine picture."""
        subject = self._subject()
        recipe = self.recipe
        if self.stuck:
            self.notified.emit(self.stuck, None)
        elif self.ready and recipe and subject and subject.portrait.recipe.sliders != recipe.sliders:
            self._generate((self._shot_of(subject),))
            self._refining = self.running

    def _follow(self) -> None:
        """Put the sliders where the current picture has them."""
        self.sliding.forget()
        self._moved, self._moved_of = self.picture, self.shown.source if self.shown is not None else None
        if self.picture is not None:
            self.sliding.show(self.picture.portrait.recipe.sliders)

    def _subject(self) -> Picture | None:
        """What the sliders are about: the current picture, or the one that is being drawn finely."""
        return self.picture or self._moved

    def _stop_refining(self) -> None:
        """Give up the fine picture, because a slider moves on; the one before stays what is moved."""
        self._refining = self.running = None
        self._stop_work_now()
        self.current = self.pictures.index(self._moved) if self._moved in self.pictures else None
        self.run_changed.emit()
        self.selection_changed.emit()

    @Slot(object, object)
    def _take_picture(self, key: object, picture: Picture) -> None:
        if self.running is not None and self.running.key is key:
            self.running = self.running.with_picture(picture)
            if self.running.count == 1:
                self.current, self._moved, self._moved_of = 0, picture, self.running.source
            self.sliding.forget()
            self.picture_added.emit()
            if self.running.count == 1:
                self.selection_changed.emit()

    @Slot(object)
    def _take_gallery(self, gallery: Gallery) -> None:
        if self.running is None:
            return
        self.running = replace(self.running, seconds=gallery.seconds)
        faceless = sum(portrait.face is None for portrait in gallery.portraits)
        words = f"Made {counted(len(gallery.portraits), 'picture')} in {gallery.seconds:.1f} s"
        self.notified.emit(f"{words}; no face was found in {faceless}" if faceless else words, None)

    @Slot()
    def _work_cancelled(self) -> None:
        run = self.running
        if run is not None and run.pictures:
            self.notified.emit(f"Stopped. {len(run.pictures)} of {counted(run.count, 'picture')} are there.", None)
        else:
            super()._work_cancelled()

    @Slot(object)
    def _work_ended(self, job: Job) -> None:
        ended = self.running if job is self._work_job else None
        if ended is not None:
            self.running = self._refining = None
            if ended.pictures:
                self.runs.add(ended)
        super()._work_ended(job)
        if ended is not None and ended.pictures:
            self.run_changed.emit()
        elif ended is not None:
            self._show_run()

    # ---- a recipe that was saved

    def use_recipe(self, path: Path) -> None:
        """Put everything as the recipe in the picture `path` says."""
        if self.running is not None:
            self.notified.emit("Wait until the drawing is done, or stop it first.", None)
            return
        self._submit(self.light, partial(generate_work.read_recipe, path), self._take_recipe).failed.connect(
            self.failed
        )

    @Slot(object)
    def _take_recipe(self, recipe: Recipe) -> None:
        offer = next((one for one in self.offers or () if one.checkpoint.id == recipe.checkpoint), None)
        if offer is None:
            words = f"This picture was made with {recipe.checkpoint}, which is not installed here or draws no faces."
            self.failed.emit(UsageError(words, hint="Look under File > Weights (F9)."))
            return
        self.choose(offer.checkpoint.id)
        known = {field.name: field for field in offer.options}
        defaults = {field.name: field.default for field in offer.options}
        others = {**defaults, **recipe.options}
        said = {
            name: value
            for name, value in recipe.options.items()
            if name in known and not known[name].problem(value, others)
        }
        self.options = {**defaults, **said}
        self.recipe_changed.emit()
        self.set_seed(recipe.seed)
        self.casting.draw_freely(isinstance(recipe.person, Anybody))
        own = recipe.person is None or isinstance(recipe.person, Anybody) or recipe.person == Drawn(recipe.seed)
        self.casting.keep(None if own else recipe.person)
        self.casting.set_vary(0)
        self.show_picture(None)
        self.sliding.show(recipe.sliders)
        self.draw_from_photo(bool(recipe.reference))
        self.set_count(1)
        self.who_changed.emit()
        lost = sorted({*recipe.options} - {*said} | {*recipe.sliders} - {*self.sliding.values})
        words = "The settings are those of this picture"
        words += f", except {', '.join(lost)}, which these weights do not support." if lost else "."
        if recipe.reference:
            words += " It was drawn from a photo, which is not in the file: choose that photo again."
        if not self.posing.follow(recipe.pose):
            words += " It was drawn with a pose picture, which is not in the file: choose that picture again."
        self.notified.emit(words, None)
