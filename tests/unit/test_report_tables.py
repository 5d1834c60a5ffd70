"""The report for people: a table and a page made of the lines."""

from __future__ import annotations

import csv
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from facestudio.errors import UsageError
from facestudio.report_tables import check_apart, check_tables, write_page, write_table, write_tables

FACE = {
    "box": [1.5, 2.0, 30.0, 40.0],
    "landmarks": [],
    "score": 0.9,
    "pose": [0, 0, 0],
    "status": "verified",
    "error": None,
    "similarity": {"judge-a": 0.0412, "judge-b": -0.1},
    "threshold": {"judge-a": 0.4, "judge-b": 0.5},
    "verdict": "changed",
    "quality": [0.7, 0.1],
    "notes": ["Nobody can be recognised in it any more."],
    "method": "solid",
    "found_again": None,
    "tries": [{}, {}],
}


def line(photo: str, status: str = "verified", faces: Any = (FACE,), **more: Any) -> dict[str, Any]:
    record = {"input": photo, "output": f"out/{photo}", "status": status, "error": None, "seconds": 1.0}
    return record | {"recipe": None, "faces": list(faces), **more}


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.jsonl"
    missed = [{"box": [5.0, 6.0, 7.0, 8.0], "score": 0.25}]
    odd = "<img src=x onerror=alert(1)>.jpg"
    lines = [
        line("a.jpg", faces=(FACE, FACE | {"status": "needs review", "error": "A judge knows it."})),
        line("=cmd|calc.jpg", "failed", (), error="It is damaged & lost."),
        line(odd, "needs review", possible_missed_faces=missed),
        line("\udcff.png", "no face", ()),
    ]
    path.write_text("".join(json.dumps(each) + "\n" for each in lines) + '{"input": "cut of', encoding="utf-8")
    return path


def test_the_table_has_a_line_a_face_and_what_each_judge_says(report: Path, tmp_path: Path) -> None:
    with write_table(report, tmp_path / "report.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["photo"], row["face"], row["face status"]) for row in rows] == [
        ("a.jpg", "1", "verified"),
        ("a.jpg", "2", "needs review"),
        ("'=cmd|calc.jpg", "", ""),
        ("<img src=x onerror=alert(1)>.jpg", "1", "verified"),
        ("<img src=x onerror=alert(1)>.jpg", "", "possible missed face"),
        ("\\udcff.png", "", ""),
    ]
    first, second, failed = rows[:3]
    assert (float(first["judge-a cosine"]), float(first["judge-b same person from"])) == (0.0412, 0.5)
    assert (first["tries"], first["shown by"], first["quality after"]) == ("2", "solid", "0.1")
    assert second["remark"].startswith("A judge knows it. Nobody")
    assert (failed["photo status"], failed["remark"], failed["judge-a cosine"]) == (
        "failed",
        "It is damaged & lost.",
        "",
    )
    assert (rows[4]["left"], rows[4]["score"]) == ("5.0", "0.25")


class Page(HTMLParser):
    """What a page holds."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words += data + "\n"


def test_the_page_stands_alone_and_shows_names_as_they_are(report: Path, tmp_path: Path) -> None:
    page = Page()
    page.feed(write_page(report, tmp_path / "report.html").read_text(encoding="utf-8"))
    assert not {"img", "script", "link", "iframe"} & set(page.tags)
    assert page.tags.count("tr") == 1 + 6
    for words in ("<img src=x onerror=alert(1)>.jpg", "0.04 (0.40)", "A judge knows it.", "1 failed", "1 needs review"):
        assert words in page.words
    looked_at = page.words.split("To be looked at by a person")[1].split("All faces")[0]
    assert "=cmd|calc.jpg: It is damaged & lost." in looked_at and "a.jpg:" not in looked_at.replace("calc.jpg:", "")


def test_the_page_says_how_it_was_done_and_how_cosines_are_spread(tmp_path: Path) -> None:
    report = tmp_path / "report.jsonl"
    limits = {"changed_below": {"judge-a": 0.15, "judge-b": 0.16}, "far": {"judge-a": 1e-3, "judge-b": 1e-3}}
    drawn = FACE | limits | {"method": "m", "erased": False}
    known = drawn | {"status": "needs review", "similarity": {"judge-a": 0.45, "judge-b": 0.2}}
    block = drawn | {"status": "fallback", "erased": True, "similarity": {"judge-a": 0.9, "judge-b": 0.9}}
    recipe = {"checkpoint": "w", "method": "m", "options": {"radius": 3.0}, "seed": 7, "version": "0.1.0"}
    several = ["It holds several pictures; only the first one is used."]
    lines = [
        line("a.tif", "needs review", (drawn, known), recipe=recipe, notes=several),
        line("b.jpg", faces=(drawn, block, FACE | {"status": "skipped", "similarity": {}}), recipe=recipe),
        line("of before.jpg"),
        *(line(name, "no face", (), recipe=recipe) for name in ("c.jpg", "d.jpg")),
    ]
    report.write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
    page = Page()
    page.feed(write_page(report, tmp_path / "report.html").read_text(encoding="utf-8"))
    for words in (
        "Photos: 1 needs review, 2 no face, 2 verified",
        "Faces: 1 fallback, 1 needs review, 1 skipped, 3 verified",
        "2 photos: no face was worked on, as none was found or chosen",
        "Nothing is left of 2 faces under a block.",  # one of them is of before that was recorded, by the method that erases
        "is neither changed nor pointed out",
        "2 photos: method m (w), radius 3.0; seed 7; Face Studio 0.1.0",
        f"a.tif: {several[0]}",
    ):
        assert words in page.words
    assert [part.strip() for part in page.words.split("judge-a\n")[1].splitlines()[:7]] == [
        *("3", "0.18", "0.45", "1 from 0.15 on (0.333)", "0.1", "1 from 0.40 on (0.333)", "0.001")
    ]
    with write_table(report, tmp_path / "report.csv").open(newline="", encoding="utf-8") as file:
        assert [row["of the photo"] for row in csv.DictReader(file)] == [*several * 2, *[""] * 6]


def test_a_run_in_which_no_face_was_worked_on_names_its_method_all_the_same(tmp_path: Path) -> None:
    report = tmp_path / "report.jsonl"
    one, other = ({"checkpoint": "w", "method": name, "options": {}, "seed": 7, "version": "0.1.0"} for name in "mn")
    lines = [
        *(line(name, "no face", (), recipe=one) for name in ("a.jpg", "b.jpg")),
        line("c.jpg", faces=(FACE,), recipe=other),
        line("d.jpg", "no face", (), recipe=other),
    ]
    report.write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
    page = Page()
    page.feed(write_page(report, tmp_path / "report.html").read_text(encoding="utf-8"))
    for words in (
        "2 photos: method m (w); seed 7; Face Studio 0.1.0; no face was worked on, as none was found or chosen\n",
        "1 photo: method n (w); seed 7; Face Studio 0.1.0\n",
        "1 photo: no face was worked on, as none was found or chosen\n",
    ):
        assert words in page.words


@pytest.mark.parametrize(
    ("said", "tries", "cell"),
    [
        ({"tries": [{"method": "m"}], "method": "m", "fallback": False}, "1", "1"),
        ({"tries": [{"method": "m"}, {"method": "solid"}], "fallback": True}, "1", "1, then hidden"),
        ({"tries": [{"method": "solid"}], "fallback": True}, "", "then hidden"),
        (
            {"tries": [{"method": "m"}, {"method": "m"}, {"method": "solid"}], "status": "fallback"},
            "2",
            "2, then hidden",
        ),
    ],
)
def test_the_fallback_is_no_try_of_the_method(tmp_path: Path, said: dict[str, Any], tries: str, cell: str) -> None:
    report = tmp_path / "report.jsonl"
    report.write_text(json.dumps(line("a.jpg", faces=(FACE | said,))) + "\n", encoding="utf-8")
    with write_table(report, tmp_path / "report.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["tries"], row["then hidden"]) == (tries, "yes" if "hidden" in cell else "")
    assert f"<td>{cell}</td>" in write_page(report, tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_face_that_is_below_a_limit_looks_so(tmp_path: Path) -> None:
    report = tmp_path / "report.jsonl"
    judged = {"similarity": {"judge-a": 0.158}, "threshold": {"judge-a": 0.161}, "changed_below": {"judge-a": 0.161}}
    face = FACE | judged | {"method": "m", "far": {"judge-a": 0.1}}
    report.write_text(json.dumps(line("a.jpg", faces=(face,))) + "\n", encoding="utf-8")
    words = write_page(report, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "0.158 (0.161)" in words and "0 from 0.161 on" in words


def test_what_recognisers_say_of_a_face_that_cannot_be_judged_is_not_given(tmp_path: Path) -> None:
    report = tmp_path / "report.jsonl"
    limits = {"changed_below": {"judge-a": 0.15, "judge-b": 0.16}, "far": {"judge-a": 1e-3, "judge-b": 1e-3}}
    good = FACE | limits | {"method": "m", "erased": False}
    poor = good | {
        "similarity": {"judge-a": 0.71, "judge-b": 0.72},
        "verdict": "cannot be judged",
        "quality": [0.1, 0.1],
    }
    report.write_text(json.dumps(line("a.jpg", faces=(good, poor))) + "\n", encoding="utf-8")
    table, written = write_tables(report)
    with table.open(newline="", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert (first["judge-a cosine"], first["judge-b cosine"]) == ("0.0412", "-0.1")
    assert (second["judge-a cosine"], second["judge-b cosine"], second["verdict"]) == ("", "", "cannot be judged")
    text = written.read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert text.count('<td class="n">not judged</td>') == 2 and "0.04 (0.40)" in page.words
    assert "0.7" not in page.words.replace("0.7,", ""), "neither in the rows nor in how cosines are spread"
    assert "1 face cannot be judged, so it is not counted here." in page.words


def test_settings_faces_not_chosen_and_photos_that_are_gone_are_said(tmp_path: Path) -> None:
    report = tmp_path / "report.jsonl"
    settings = {"faces": "largest", "leave_others": False, "tries": 1, "fallback": None, "metadata": "technical"}
    settings |= {"reset_times": True, "far": 1e-3, "consistent": True, "similar": False}
    other = FACE | {"status": "skipped", "similarity": {}, "error": "It was not chosen, so it is left as it is."}
    lines = [
        line("a.jpg", "needs review", (FACE, other, other), error="2 faces were not chosen.", settings=settings),
        line("gone.jpg", kept="The photo is no longer among the inputs; its result is from an earlier run."),
    ]
    report.write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
    page = Page()
    page.feed(write_page(report, tmp_path / "report.html").read_text(encoding="utf-8"))
    for words in (
        "1 photo: faces largest; up to 1 try per face, not counting the fallback; fallback none; metadata technical; "
        "file times reset; one new face per person in all photos; false accept rate 0.001",
        "a.jpg: 2 of 3",
        "a.jpg: 2 faces were not chosen.",
        "gone.jpg: The photo is no longer among the inputs",
    ):
        assert words in page.words
    with write_table(report, tmp_path / "report.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["photo status"], row["face status"], row["metadata"]) for row in rows[1:]] == [
        *[("needs review", "skipped", "technical")] * 2,
        ("verified", "verified", ""),
    ]
    assert rows[1]["remark"].startswith("It was not chosen") and "no longer" in rows[3]["of the photo"]


def test_a_result_that_was_kept_is_said_to_be_another_ones(tmp_path: Path) -> None:
    report = tmp_path / "report.jsonl"
    kept = line("b.jpg", kept="The photo is another one than the result was made of.")
    report.write_text("".join(json.dumps(each) + "\n" for each in (line("a.jpg"), kept)), encoding="utf-8")
    page = Page()
    page.feed(write_page(report, tmp_path / "report.html").read_text(encoding="utf-8"))
    said = page.words.split("were kept")[1].split("All faces")[0]
    assert "b.jpg: The photo is another one" in said and "a.jpg" not in said


@pytest.mark.parametrize("name", ["run.csv", "run.html", "run.jsonl", "./run.csv"])
def test_nothing_else_has_the_name_of_a_file_of_the_report(tmp_path: Path, name: str) -> None:
    check_apart(tmp_path / "run.jsonl", tmp_path / "names.csv", None, tmp_path / "key", "no path")
    with pytest.raises(UsageError, match="would be overwritten by a file of the report"):
        check_apart(tmp_path / "run.jsonl", None, tmp_path / name)


def test_they_are_written_anew_but_never_over_something_else(report: Path, tmp_path: Path) -> None:
    table, page = tmp_path / "t.csv", tmp_path / "t.html"
    check_tables(table, page)
    for _ in range(2):
        check_tables(write_table(report, table), write_page(report, page))
    for other in (tmp_path / "other.csv", tmp_path / "other.html"):
        other.write_text("precious")
        with pytest.raises(UsageError, match="would be overwritten"):
            check_tables(other if other.suffix == ".csv" else table, other if other.suffix == ".html" else page)
        assert other.read_text() == "precious"


def test_a_run_that_was_stopped_says_that_it_is_not_all(tmp_path: Path) -> None:
    path, why = tmp_path / "report.jsonl", "The run was stopped before this photo was done."
    missing = [line(name, "not reached", (), error=why, output=None) for name in ("b.jpg", "c.jpg")]
    path.write_text("".join(json.dumps(each) + "\n" for each in (line("a.jpg"), *missing)), encoding="utf-8")
    page = write_page(path, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "2 not reached, 1 verified" in page
    assert "stopped before 2 photos were done: this report does not say whether they have been changed" in page
    with write_table(path, tmp_path / "report.csv").open(newline="", encoding="utf-8") as file:
        assert [row["remark"] for row in csv.DictReader(file)][1:] == [why, why]
    path.write_text(json.dumps(line("a.jpg")) + "\n", encoding="utf-8")
    assert "stopped" not in write_page(path, tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_report_without_photos_makes_an_empty_table(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text("")
    assert write_table(tmp_path / "r.jsonl", tmp_path / "r.csv").read_text().count("\n") == 1
    assert "All faces" in write_page(tmp_path / "r.jsonl", tmp_path / "r.html").read_text()
