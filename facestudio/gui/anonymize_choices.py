"""What the Anonymize panel asks for besides the method: who becomes whom, what results are called, and what their files say.

Remembered from one start to the next, except for secrets without a key file: those live in memory, and end with the window. Of a
key file the place is remembered and never what it holds. Fallback and metadata start as usual: what gives more away is asked for
anew. Knows no widget.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, QSettings, Signal, Slot

from facestudio.anonymize_settings import HIDING
from facestudio.secret import Secret


class Choices(QObject):
    """The choices as they are now.

    Attributes:
        consistent: the same person becomes the same in all photos, by the secret in the file `key`, or by one in memory (None).
        similar: people become others who are like them. names: where it is kept which number is which photo; None: photos keep
            their names. reset_times: files say 1980. fallback, metadata: as of `anonymize_settings.Settings`.
    """

    changed = Signal()
    places_changed = Signal()  # the key or the names, so other results may be the run's

    def __init__(self, stored: QSettings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._stored = stored
        self._secrets: dict[Path, Secret] = {}  # by the folder of the results
        self.fallback, self.metadata = HIDING, "strip"
        self.consistent, self.similar, self.reset_times = map(self._is_on, ("consistent", "similar", "reset_times"))
        self.key, self.names = self.place("key"), self.place("names")

    def set_fallback(self, checkpoint_id: str) -> None:
        self.fallback = checkpoint_id

    def set_metadata(self, policy: str) -> None:
        self.metadata = policy

    @Slot(bool)
    def set_consistent(self, on: bool) -> None:
        """Let the same person become the same in all photos, or not."""
        self.consistent = on
        self._store("consistent", on)

    @Slot(bool)
    def set_similar(self, on: bool) -> None:
        """Let people become others who are like them, or anybody."""
        self.similar = on
        self._store("similar", on)

    @Slot(bool)
    def set_reset_times(self, on: bool) -> None:
        """Let files say 1980, or when they were written."""
        self.reset_times = on
        self._store("reset_times", on)

    def choose_key(self, key: Path | None) -> None:
        """Keep the secret in the file `key`, which a run makes if it is not there; None: in memory."""
        self.key = key
        self._store("key", str(key or ""))
        self.places_changed.emit()

    def choose_names(self, mapping: Path | None) -> None:
        """Number the results, and keep in the file `mapping` which number is which photo; None: photos keep their names."""
        self.names = mapping
        self._store("names", str(mapping or ""))
        self.places_changed.emit()

    def secret(self, output: Path) -> Secret | Path:
        """What says who becomes whom in `output`: the key's file, or a secret of this window's."""
        return self.key or self._secrets.setdefault(output, Secret())

    def secrets(self, output: Path) -> tuple[Secret | Path, ...]:
        """All that a run into `output` may have had, as far as this window knows."""
        memory = self._secrets.get(output)
        return (*([self.key] if self.key else []), *([memory] if memory else []))

    # ---- what is stored

    def place(self, name: str) -> Path | None:
        """The path that is remembered as `name`."""
        found = self._stored.value(f"anonymize/{name}")
        return Path(found) if isinstance(found, str) and found else None

    def remember_place(self, name: str, path: Path) -> None:
        self._stored.setValue(f"anonymize/{name}", str(path))

    def _is_on(self, name: str) -> bool:
        return bool(self._stored.value(f"anonymize/{name}", False, bool))

    def _store(self, name: str, value: bool | str) -> None:
        self._stored.setValue(f"anonymize/{name}", value)
        self.changed.emit()
