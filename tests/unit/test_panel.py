"""All recognisers together: what their verdicts come to, in words and in one sentence."""

from __future__ import annotations

import numpy as np
import pytest

from facestudio.faces.identity import Verdict, verdict
from facestudio.faces.panel import Panel, Summary, between_photos, log_odds, summarise
from tests.fakes import CALIBRATION, fake_checkpoint, fake_panel

NAMES = ("first", "second", "third")


def said(*cosines: float, goal: str = "keep", far: float = 1e-3) -> dict[str, Verdict]:
    """The verdicts of as many recognisers; "same person" from 0.8, "changed" below 0.4."""
    return {
        name: verdict(cosine, fake_checkpoint(name, calibration=CALIBRATION), far=far, goal=goal)
        for name, cosine in zip(NAMES, cosines, strict=False)
    }


def summed_up(*cosines: float, goal: str = "keep", quality: tuple[float, float] = (0.9, 0.8)) -> Summary:
    summary = summarise(said(*cosines, goal=goal), quality, fake_panel(NAMES[: len(cosines)], [0.9]))
    assert summary is not None
    return summary


@pytest.mark.parametrize(
    ("cosines", "words"),
    [
        ((0.9, 0.9, 0.4), "same person"),  # log-odds 4, 4, -1: 2.33
        ((0.9, 0.9, 0.2), "uncertain"),  # 4, 4, -3: 1.67
        ((0.6, 0.3, 0.2), "changed"),  # 1, -2, -3: -1.33
    ],
)
def test_the_score_of_all_decides(cosines: tuple[float, ...], words: str) -> None:
    summary = summed_up(*cosines)
    assert summary.words == words
    assert summary.score == pytest.approx(np.mean([10 * cosine - 5 for cosine in cosines]))
    assert summary.probability == pytest.approx(1 / (1 + np.exp(-summary.score)))


def test_a_sentence_says_who_agrees() -> None:
    assert summed_up(0.9, 0.9, 0.4).sentence == (
        "Same person (91% chance that both faces are the same person); two of three say same person."
    )
    assert between_photos(summed_up(0.1, 0.1).sentence) == (
        "Different people (2% chance that both faces are the same person); both recognisers agree."
    )
    assert summed_up(0.9, 0.9, 0.9).agreement == "all three recognisers agree"
    assert summed_up(0.9, 0.9).agreement == "both recognisers agree"
    assert summed_up(0.9).agreement == "one recogniser was asked"
    assert summed_up(0.9, 0.9, 0.2).agreement == "two of three say same person", "an uncertain pair"
    assert summed_up(0.5, 0.3, 0.2).agreement == "two of three say changed"


def test_two_faces_that_are_both_tiny_are_not_said_to_be_one_person() -> None:
    def of(*cosines: float, eyes: tuple[float, float], **more: float) -> Summary:
        panel = fake_panel(["a", "b", "c"][: len(cosines)], [])
        found = summarise(said(*cosines), (0.9, 0.8), panel, eyes=eyes)
        assert found is not None
        return found

    tiny = of(0.95, 0.95, 0.95, eyes=(5.4, 6.2))
    assert tiny.words == "cannot be judged" and not tiny.success
    assert tiny.sentence == (
        "Cannot be judged: both faces are too small to be told from strangers (6 px between the eyes, 7 px are needed in one "
        "of them)."
    )
    assert tiny.lack == "too small: 6 px between the eyes, 7 px are needed", (
        "and not that they are poor, which they are not"
    )
    assert of(0.95, 0.95, 0.95, eyes=(5.4, 6.96)).lack == tiny.lack, "what is too little does not look like enough"
    assert of(0.95, 0.95, 0.95, eyes=(5.4, 11.0)).words == "same person"  # with a larger one strangers are told as ever
    assert of(0.0, 0.0, 0.0, eyes=(5.4, 6.2)).words == "changed"


def test_a_face_below_the_gate_is_not_judged_whatever_the_cosines() -> None:
    for goal in ("keep", "change"):
        summary = summed_up(0.99, 0.99, goal=goal, quality=(0.9, 0.2))
        assert summary.words == "cannot be judged"
        assert not summary.success
        assert (
            summary.sentence == "Cannot be judged: the second face is too poor to be recognised (20%, 30% is needed)."
        )
    before = summarise(said(0.9), (0.2, 0.9), fake_panel(["first"], [0.9]), ("the face before", "the face after"))
    assert before is not None and "the face before is too poor" in before.sentence
    assert "both faces are" in summed_up(0.99, 0.99, quality=(0.1, 0.2)).sentence
    assert summed_up(0.99, 0.99, quality=(0.3, 0.3)).words == "same person"


def test_what_is_to_be_changed_is_judged_by_the_most_cautious() -> None:
    summary = summed_up(0.0, 0.1, 0.85, goal="change")
    assert summary.words == "same person"
    assert summary.score is None
    assert not summary.success
    assert summed_up(0.0, 0.1, 0.2, goal="change").success


def test_recognisers_that_the_panel_does_not_know_are_not_averaged() -> None:
    summary = summarise(said(0.9, 0.5), (0.9, 0.9), fake_panel(["first", "other"], [0.9]))
    assert summary is not None
    assert (summary.words, summary.score) == ("uncertain", None)


def test_without_a_panel_the_most_cautious_speaks_and_without_verdicts_nobody() -> None:
    summary = summarise(said(0.9, 0.2))
    assert summary is not None
    assert (summary.words, summary.quality) == ("changed", None)
    assert summarise({}) is None


def test_a_stricter_rate_asks_the_panel_for_more() -> None:
    panel = fake_panel(NAMES[:2], [0.9])
    strict, lax = panel.thresholds(NAMES[:2], 1e-3), panel.thresholds(NAMES[:2], 1e-2)
    assert strict is not None and lax is not None
    assert strict[0] == 2.0 and lax[0] == pytest.approx(0.5)
    assert panel.thresholds(["second", "first"], 1e-3) == strict, "the order does not matter"


def test_log_odds_are_the_regression_s_and_never_fall_with_a_cosine() -> None:
    coefficients = [0.5, 1.0, -4.0, 10.0, 2.0, 0.0]
    assert log_odds(coefficients, np.array([0.2, 0.7]), 0.9) == pytest.approx(0.5 + 0.9 + (-4 + 9) * 0.2 + 2 * 0.7)
    cosines, quality = np.zeros((2, 3, 2)), np.array([[0.1] * 3, [0.9] * 3])
    cosines[..., 0] = [-1, 0, 1]
    poor, good = log_odds(coefficients, cosines, quality)
    assert (np.diff(poor) == 0).all(), "with a slope below 0 it says nothing"
    assert (np.diff(good) > 0).all()


def test_each_verdict_gets_the_probability_that_its_quality_allows() -> None:
    first, second = summed_up(0.9, 0.5).verdicts
    assert first.probability == pytest.approx(1 / (1 + np.exp(-4)))
    assert second.probability == pytest.approx(0.5)
    assert (first.words, second.words) == ("same person", "uncertain"), "the words stay those of the threshold"


def test_a_panel_says_its_gate() -> None:
    assert isinstance(fake_panel(NAMES, [0.5], gate=0.25), Panel)
    assert fake_panel(NAMES, [0.5], gate=0.25).gate == 0.25


@pytest.mark.parametrize(
    ("other", "words"),
    [(0.95, "same person"), (0.6, "uncertain"), (0.1, "changed")],
)
def test_a_recogniser_that_the_panel_does_not_know_can_only_be_more_cautious(other: float, words: str) -> None:
    """Somebody's own, calibrated on people of their own: the panel's score stays that of those it was fitted to."""
    verdicts = said(0.9, 0.9, other)
    summary = summarise(verdicts, (0.9, 0.9), fake_panel(NAMES[:2], [0.9]))
    assert summary is not None
    assert summary.words == words and summary.score == pytest.approx(4.0)
    assert len(summary.verdicts) == 3
    lower = summarise(said(0.3, 0.3, 0.95), (0.9, 0.9), fake_panel(NAMES[:2], [0.9]))
    assert lower is not None and lower.words == "changed", "it convinces nobody"
    poor = summarise(verdicts, (0.9, 0.1), fake_panel(NAMES[:2], [0.9]))
    assert poor is not None and poor.words == "cannot be judged"


def test_the_panel_s_rate_is_not_that_of_a_recogniser_with_fewer_rates() -> None:
    few = verdict(0.9, fake_checkpoint("few", calibration={"thresholds": {"1e-1": 0.2, "1e-2": 0.3}}))
    summary = summarise({"few": few, **said(0.9, 0.9)}, (0.9, 0.9), fake_panel(NAMES[:2], [0.9]))
    assert summary is not None
    assert (few.far, summary.far, summary.threshold) == (1e-2, 1e-3, 2.0)
