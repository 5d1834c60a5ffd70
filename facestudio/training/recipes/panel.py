"""Recipe of `starter-panel`: how recognisable a face is, and what the embedders say together. Fitted, not trained.

Uses only people that the embedders were not trained on: the small held-out CelebA pictures to fit, the large ones of other
people to measure. Every face is seen as it is and damaged in several ways, against other, undamaged pictures.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facestudio import checkpoints
from facestudio.faces import calibrating
from facestudio.faces.loading import load_network
from facestudio.faces.panel import log_odds
from facestudio.networks.panel import Recognisability, mean_attention
from facestudio.training import data, metrics
from facestudio.training.degradation import Degradation, degrade
from facestudio.training.embedding import CALIBRATING, WILD, draw112
from facestudio.training.identity_data import all_crops
from facestudio.training.rejection import SHARES, logistic, missed_after_discarding

log = logging.getLogger(__name__)
EMBEDDERS = ("starter-embedder-a", "starter-embedder-b", "starter-embedder-c")
WATCHED = "starter-embedder-c"
LAX = 1e-2  # the false accept rate at which a face counts as known again
GATE = 0.3  # of such faces fewer than one in three would be known again
SIDES = (32, 16)  # px that probes are reduced to, for the figures
HOPELESS = 256  # training faces that are made unrecognisable
PROBES = 250  # small faces that are damaged to fit, and as many large ones as there are to measure


@dataclass(frozen=True)
class Seen:
    """What the embedders made of M crops: unit `embeddings` (M, J, D), mean `attention` in L blocks (M, L), and of which
    `face` (M,) each is."""

    embeddings: np.ndarray
    attention: np.ndarray
    face: np.ndarray

    def only(self, block: int) -> Seen:
        """The same with the attention of one block, (M, 1)."""
        return replace(self, attention=self.attention[:, [block]])


@dataclass(frozen=True)
class Pairs:
    """P pairs of a probe and an undamaged reference: indices, `cosines` (P, J), and whether they are the `same` person."""

    probe: np.ndarray
    reference: np.ndarray
    cosines: np.ndarray
    same: np.ndarray


def damages(random: np.random.Generator) -> list[Degradation]:
    """What is done to a face, from light to hopeless: one drawn as in training, and two that reach further down."""
    further = [
        replace(draw112(random), scale=float(np.exp(random.uniform(*np.log(span))))) for span in ((3, 8), (7, 16))
    ]
    return [draw112(random), *further]


def hopeless(crop: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """`crop` (112, 112, 3) uint8 as nobody would recognise it: 4 to 7 px wide, blurred, with much noise."""
    scale = float(random.uniform(16, 28))
    return degrade(
        crop, Degradation((scale / 2,) * 2, scale=scale, noise=float(random.uniform(5, 40)), seed=int(scale))
    )


def ids(some: Sequence[int]) -> str:
    """The key of a set of embedders in the calibration."""
    return " ".join(sorted(EMBEDDERS[j] for j in some))


class Recipe:
    """See the module. `fit` makes the weights and figures that the loop makes for others."""

    id = "starter-panel"
    architecture = "panel:Recognisability"
    config: dict[str, Any] = {"judges": len(EMBEDDERS), "dimensions": 512}
    trained_on = "held-out CelebA faces, seen by the starter embedders"
    seed = 4

    def __init__(self, root: Path, cache: Path) -> None:
        self.crops, self.identity, self.source = all_crops(root, cache)
        self.training, held = data.split(self.identity)
        self.held = held[np.isin(self.source[held], CALIBRATING)]
        self.people, self.of = self.identity[self.held], self.source[self.held]
        entries = [checkpoints.checkpoint(name) for name in EMBEDDERS]
        self.weights = {entry.id: entry.files["weights"].sha256 for entry in entries}
        self.networks: list[Any] = [load_network(entry, "cpu") for entry in entries]

    def fit(self, folder: Path) -> dict[str, Any]:
        """Fit, write `folder`/last.pt as the loop does, and return the figures."""
        started = time.monotonic()
        random = np.random.default_rng(self.seed)
        chosen = np.sort(random.choice(self.training, HOPELESS, replace=False))
        lost = self.see([hopeless(self.crops[index], random) for index in chosen], chosen)
        whole = self.see([self.crops[index] for index in self.held], np.arange(len(self.held)))
        log.info("undamaged faces seen")
        probes = self.probes(whole, random)
        log.info("damaged faces seen")
        pairs = self.pairs(probes, whole, random)
        wild = self.of[probes.face] == WILD

        network = Recognisability(**self.config).eval()
        centres = lost.embeddings.mean(0)
        network.centres.copy_(torch.from_numpy(centres / np.linalg.norm(centres, axis=1, keepdims=True)))
        known = self.known(pairs, whole)
        counted = pairs.same & ~wild[pairs.probe]
        block = self.telling(probes, pairs.probe[counted], known[counted])
        lost, whole, probes = lost.only(block), whole.only(block), probes.only(block)
        evidence = self.evidence(network, probes)
        self.set_regression(network, evidence[pairs.probe[counted]], known[counted])

        quality, undamaged = self.quality(network, probes), self.quality(network, whole)
        poorer = np.minimum(quality[pairs.probe], undamaged[pairs.reference])
        sets = [some for n in range(1, len(EMBEDDERS) + 1) for some in itertools.combinations(range(len(EMBEDDERS)), n)]
        odds = {ids(some): self.odds(pairs, some, poorer, ~wild[pairs.probe]) for some in sets}
        figures: dict[str, Any] = {
            "calibration.embedders": self.weights,
            "calibration.watched": WATCHED,
            "calibration.block": block,
            "calibration.gate": GATE,
            "calibration.odds": odds,
            "calibration.together": {},
            "calibration_faces": float(len(self.held)),
            "calibration_identities": float(len(set(self.people))),
            "quality_of_undamaged": float(np.median(undamaged)),
            "below_gate_of_undamaged": float(np.mean(undamaged < GATE)),
            "below_gate_of_hopeless": float(np.mean(self.quality(network, lost) < GATE)),
        }
        for some in (some for some in sets if len(some) > 1):
            measured, told = self.together(some, whole.embeddings, undamaged, odds)
            figures["calibration.together"][ids(some)] = measured
            letters = "".join(EMBEDDERS[j][-1] for j in some)
            figures |= {f"{key}_{letters}": value for key, value in told.items()}
        figures |= self.reduced(network, whole, undamaged, odds, block)
        here = pairs.same & wild[pairs.probe]
        names = ("recognisability", *(f"distance_{n[-1]}" for n in EMBEDDERS), "attention")
        measures = [quality, *evidence.T]
        for name, measure in zip(names, measures, strict=True):
            missed = missed_after_discarding(measure[pairs.probe[here]], known[here])
            figures |= {f"missed_{name}_{share:.0%}": value for share, value in zip(SHARES, missed, strict=True)}
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            "step": 0,
            "images": len(probes.face) + len(whole.face) + HOPELESS,
            "minutes": (time.monotonic() - started) / 60,
        }
        torch.save({"average": network.state_dict(), "state": state}, folder / "last.pt")
        return figures

    def probes(self, whole: Seen, random: np.random.Generator) -> Seen:
        """Faces of whose people there are several pictures, undamaged (as in `whole`) and damaged."""
        several = np.array([n for n in range(len(self.held)) if self.same_as(n).sum() > 1])
        small = several[self.of[several] != WILD]
        small = random.choice(small, min(PROBES, len(small)), replace=False)
        chosen = np.concatenate([several[self.of[several] == WILD], small])
        damaged = [(n, degrade(self.crops[self.held[n]], how)) for n in chosen for how in damages(random)]
        seen = self.see([crop for _, crop in damaged], np.array([n for n, _ in damaged]))
        return Seen(
            np.concatenate([whole.embeddings[chosen], seen.embeddings]),
            np.concatenate([whole.attention[chosen], seen.attention]),
            np.concatenate([chosen, seen.face]),
        )

    @staticmethod
    def telling(probes: Seen, pair: np.ndarray, known: np.ndarray) -> int:
        """The block whose attention says most of whether the probes of pairs (P,) are `known` (P,): fewest are missed once the
        worst were discarded. A block that tells quality early in training need not later (docs/benchmarks/recognisers.md)."""
        missed = [sum(missed_after_discarding(one[pair], known)) for one in probes.attention.T]
        log.info("missed by the attention of each block: %s", " ".join(f"{one:.3f}" for one in missed))
        return int(np.argmin(missed))

    def same_as(self, n: int) -> np.ndarray:
        """Which held-out faces are of the same person, from the same source, as number `n`, itself among them."""
        return (self.people == self.people[n]) & (self.of == self.of[n])

    @torch.inference_mode()
    def see(self, crops: Sequence[np.ndarray], face: np.ndarray, batch: int = 32) -> Seen:
        """What the embedders make of `crops` (112, 112, 3) uint8."""
        parts, attention = [], []
        watched = self.networks[EMBEDDERS.index(WATCHED)]
        for start in range(0, len(crops), batch):
            x = metrics.tensor(np.stack(crops[start : start + batch]))
            parts.append(np.stack([network.symmetric(x).numpy() for network in self.networks], 1))
            logits = watched.examine(x, range(len(watched.blocks))).logits
            attention.append(mean_attention(logits).numpy())
        return Seen(np.concatenate(parts), np.concatenate(attention), face)

    def pairs(self, probes: Seen, whole: Seen, random: np.random.Generator, strangers: int = 40) -> Pairs:
        """Every probe with all other pictures of its person, and with some of strangers, from the same source."""
        first, second, same = [], [], []
        for row, n in enumerate(probes.face):
            mine = self.same_as(n)
            mine[n] = False
            others = np.flatnonzero((self.of == self.of[n]) & (self.people != self.people[n]))
            some = random.choice(others, min(strangers, len(others)), replace=False)
            first += [row] * (int(mine.sum()) + len(some))
            second += [*np.flatnonzero(mine), *some]
            same += [True] * int(mine.sum()) + [False] * len(some)
        probe, reference = np.array(first), np.array(second)
        cosines = np.einsum("pjd,pjd->pj", probes.embeddings[probe], whole.embeddings[reference])
        return Pairs(probe, reference, cosines, np.array(same))

    def known(self, pairs: Pairs, whole: Seen) -> np.ndarray:
        """Whether the embedders together would know each pair for the same person (P,), at the false accept rate LAX.

        By a regression on undamaged small pictures alone, so that what damage does is not explained away.
        """
        cosines = np.einsum("njd,mjd->nmj", whole.embeddings, whole.embeddings)
        small = self.of != WILD
        counted = np.triu(small[:, None] & small[None], 1)
        same = (self.people[:, None] == self.people[None])[counted]
        weight = np.where(same, 1 / same.sum(), 1 / (~same).sum())
        found = logistic(cosines[counted], same, weight)
        strangers = (found[0] + cosines[counted] @ found[1:])[~same]
        return found[0] + pairs.cosines @ found[1:] >= np.quantile(strangers, 1 - LAX)

    @staticmethod
    def evidence(network: Recognisability, seen: Seen) -> np.ndarray:
        with torch.inference_mode():
            return network.evidence(torch.from_numpy(seen.embeddings), torch.from_numpy(seen.attention[:, 0])).numpy()

    @staticmethod
    def quality(network: Recognisability, seen: Seen) -> np.ndarray:
        with torch.inference_mode():
            return network(torch.from_numpy(seen.embeddings), torch.from_numpy(seen.attention[:, 0])).numpy()

    @staticmethod
    def set_regression(network: Recognisability, evidence: np.ndarray, known: np.ndarray) -> None:
        """Fit the network's regression of `known` (N,) on the mean of the standardised `evidence` (N, J + 1).

        Free weights fit the people at hand better and other people worse (docs/benchmarks/recognisers.md).
        """
        usual, spread = evidence.mean(0), evidence.std(0)
        count = evidence.shape[1]
        found = logistic(((evidence - usual) / spread).mean(1, keepdims=True), known)
        for buffer, values in zip(
            (network.usual, network.spread, network.weight, network.bias),
            (usual, spread, np.full(count, found[1] / count), found[:1]),
            strict=True,
        ):
            buffer.copy_(torch.from_numpy(np.asarray(values, np.float32)))

    @staticmethod
    def odds(pairs: Pairs, some: Sequence[int], poorer: np.ndarray, chosen: np.ndarray) -> list[float]:
        """Coefficients of `log_odds` for the embedders `some`, from the `chosen` (P,) pairs, both kinds weighing alike."""
        quality, same = poorer[chosen], pairs.same[chosen]
        columns = [quality]
        for j in some:
            cosine = pairs.cosines[chosen, j]
            columns += [cosine, cosine * quality]
        weight = np.where(same, 1 / same.sum(), 1 / (~same).sum())
        return [round(float(value), 4) for value in logistic(np.stack(columns, 1), same, weight, ridge=1e-4)]

    def together(
        self, some: Sequence[int], embeddings: np.ndarray, quality: np.ndarray, odds: dict[str, list[float]]
    ) -> tuple[dict[str, Any], dict[str, float]]:
        """(calibration, figures) of the embedders `some`, by all undamaged pairs of `embeddings` (N, J, D)."""
        cosines = np.einsum("njd,mjd->nmj", embeddings, embeddings)
        poorer = np.minimum(quality[:, None], quality[None])
        table = log_odds(odds[ids(some)], cosines[..., list(some)], poorer)
        mean = np.mean([log_odds(odds[ids([j])], cosines[..., [j]], poorer) for j in some], 0)
        people = self.people[:, None] == self.people[None]
        wild = self.of == WILD
        upper = np.triu(self.of[:, None] == self.of[None], 1)
        strangers = upper & ~people
        large = wild[:, None] & wild[None]
        measured = {
            "thresholds": {f"{far:.0e}": float(np.quantile(table[strangers], 1 - far)) for far in calibrating.RATES},
            "thresholds_low": {},
            "thresholds_high": {},
        }
        intervals = calibrating.intervals_of_pairs(table, strangers, self.people, calibrating.RATES[1:])
        for far, (low, high) in intervals.items():
            measured["thresholds_low"][f"{far:.0e}"] = low
            measured["thresholds_high"][f"{far:.0e}"] = high
        rounded = {name: {far: round(value, 4) for far, value in values.items()} for name, values in measured.items()}
        carried = float(np.quantile(table[strangers & ~large], 1 - 1e-3))
        told = {
            f"tar_at_far_{far:.0e}": calibrating.tar_at_far(
                table[upper & people & large], table[strangers & large], far
            )[0]
            for far in calibrating.RATES[1:]
        }
        told["tar_at_far_1e-03_mean"] = calibrating.tar_at_far(
            mean[upper & people & large], mean[strangers & large], 1e-3
        )[0]
        told["far_of_calibrated_1e-03"] = float(np.mean(table[strangers & large] >= carried))
        return rounded, told

    def reduced(
        self, network: Recognisability, whole: Seen, quality: np.ndarray, odds: dict[str, list[float]], block: int
    ) -> dict[str, float]:
        """TAR at FAR 1e-3 of large faces when one of each pair was reduced: by each embedder, the best, and together."""
        wild = np.flatnonzero(self.of == WILD)
        alike = self.people[wild][:, None] == self.people[wild][None]
        off = ~np.eye(len(wild), dtype=bool)
        figures = {}
        for side in SIDES:
            how = Degradation(scale=112 / side)
            small = self.see([degrade(self.crops[self.held[n]], how) for n in wild], wild).only(block)
            cosines = np.einsum("njd,mjd->nmj", whole.embeddings[wild], small.embeddings)
            poorer = np.minimum(quality[wild][:, None], self.quality(network, small)[None])
            tables = {name[-1]: cosines[..., j] for j, name in enumerate(EMBEDDERS)}
            tables["abc"] = log_odds(odds[ids(range(len(EMBEDDERS)))], cosines, poorer)
            for name, table in tables.items():
                tar = calibrating.tar_at_far(table[alike & off], table[~alike], 1e-3)[0]
                figures[f"tar_at_far_1e-03_{side}px_{name}"] = tar
        return figures
