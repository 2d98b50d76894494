"""The report of a search: text, JSON and a page that opens offline; nothing in it acts on a terminal or a browser."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from engine.analysis.report.contents import make_report
from engine.analysis.report.drawings import Series, line_chart, numbering
from engine.analysis.report.text import interval_line
from engine.analysis.selection.choices import CorrectedBest
from engine.cli.main import main
from engine.errors import UsageError
from engine.session.session import open_session
from tests.fakes import fake_search
from tests.tui_tests.scripted_search import Script, combinations
from tests.tui_tests.small_sessions import make_session

if TYPE_CHECKING:
    from engine.search.search import Search

SPACE: dict[str, Any] = {
    "epochs": [1, 2, 4],
    "optimizer": ["adam", {"name": "sgd", "momentum": [0.8, 0.9]}],
    "learning_rate": [0.01, {"schedule": "CosineDecay", "initial_learning_rate": 0.1, "decay_epochs": "all"}],
}


@pytest.fixture(scope="module")
def search(parsed_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Search:
    """A real search in fake workers, complete."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOLDWATCH_CACHE", str(parsed_data))
        made = fake_search(tmp_path_factory.mktemp("report") / "sessions", SPACE, name="grid")
        list(made.run())
    return made


def _arguments(search: Search, *more: str) -> list[str]:
    assert search.session is not None
    return ["report", "grid", "--sessions", str(search.session.folder.parent), *more]


class _Page(HTMLParser):
    """Checks that every element is closed, and collects what is asked of a page."""

    _VOID: ClassVar = {"meta", "br"}

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self._VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_text_has_every_part(search: Search, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(_arguments(search)) == 0
    out = capsys.readouterr().out
    for word in ("IMPORTANCE", "MAIN EFFECTS", "HEAT MAP", "TOP COMBINATIONS", "18 complete", "synthetic", "corrected"):
        assert word in out
    assert f"accuracy {search.best_score_:.4f}" in out
    for width, is_told in ((80, False), (200, True)):
        head, *rows = search.report().to_text(width).partition("TOP COMBINATIONS")[2].splitlines()[1:]
        assert len(rows) == 15
        assert ("highest" in head) == is_told
    assert "optimizer__momentum" in out


def test_what_is_tied_is_the_same_everywhere(search: Search, capsys: pytest.CaptureFixture[str]) -> None:
    tied, report = search.corrected_best().tied, search.report()
    assert 1 < len(tied) < len(report.complete)
    shown = [one for one in report.top if one.rank > 1]
    assert [one.mark == "≈" for one in shown] == [one.index in tied for one in shown]
    assert [one["tied"] for one in report.as_values()["top"]] == [one.index in tied for one in report.top]
    assert main(_arguments(search)) == 0
    out = capsys.readouterr().out
    assert "≈ tied with the best" in out
    page = report.to_html()
    assert "≈ tied with the best" in page
    for text in (out, page):
        assert "standard error" not in text
        assert "told apart" not in text


def test_values_are_those_of_the_search(search: Search, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(_arguments(search, "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads(json.dumps(search.report().as_values()))
    means = search.cv_results_["mean_test_score"].tolist()
    assert found["means"] == means
    assert found["top"][0]["index"] == search.best_index_
    effect = next(one for one in found["main_effects"] if one["name"] == "epochs")
    params = search.cv_results_["params"]
    scores = [mean for mean, one in zip(means, params, strict=True) if one["epochs"] == 2]
    assert effect["levels"][1]["mean"] == pytest.approx(sum(scores) / len(scores))
    assert [axis["name"] for axis in found["parallel_coordinates"]] == [
        "epochs", "learning_rate", "optimizer", "optimizer__momentum", "accuracy",
    ]  # fmt: skip
    assert len(found["traces"]) == 3
    assert len(found["traces"][0]["curves"]) == 3


def test_the_heat_map_that_was_asked_for(search: Search, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(_arguments(search, "--format", "json", "--pair", "optimizer__momentum", "epochs")) == 0
    found = json.loads(capsys.readouterr().out)["heat_map"]
    assert (found["down_levels"], found["across_levels"]) == (["0.8", "0.9"], ["1", "2", "4"])
    assert found["counts"] == [[2, 2, 2], [2, 2, 2]]
    for pair in (("epochs", "batch_size"), ("epochs", "epochs")):
        assert main(_arguments(search, "--pair", *pair)) == 2
        assert "is not accepted; accepted: two of epochs, learning_rate" in capsys.readouterr().err


def test_the_page_needs_nothing_else(search: Search, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to = tmp_path / "report.html"
    assert main(_arguments(search, "--to", str(to))) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"the report is in {to}\n")
    text = to.read_text()
    page = _Page(text)
    tags = {tag for tag, _ in page.elements}
    assert tags.isdisjoint({"script", "link", "img", "iframe", "object", "embed", "form"})
    assert not any(name in ("src", "href", "style") or name.startswith("on") for _, a in page.elements for name in a)
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text
    pictures = [attributes for tag, attributes in page.elements if tag == "svg"]
    ids = {attributes.get("id") for _, attributes in page.elements}
    described = [(one["aria-labelledby"] or "").split() for one in pictures]
    assert len(pictures) == 4 + 1 + 1 + 9  # no importances: so few scores of fakes no forest explains
    assert all(len(names) == 2 and ids.issuperset(names) for names in described)
    assert len({name for names in described for name in names}) == 2 * len(pictures)
    assert len(re.findall("<polyline", text)) >= 18
    assert f"{search.best_score_:.4f}" in text


def test_the_format_is_what_the_file_ends_with_or_what_was_said(
    search: Search, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, begins in (("a.json", '{"session"'), ("a.html", "<!doctype html>"), ("a.txt", "session")):
        assert main(_arguments(search, "--to", str(tmp_path / name))) == 0
        assert (tmp_path / name).read_text().startswith(begins)
    assert main(_arguments(search, "--to", str(tmp_path / "a.html"), "--format", "json")) == 0
    assert (tmp_path / "a.html").read_text().startswith("{")
    capsys.readouterr()
    assert main(_arguments(search, "--json", "--format", "html")) == 2
    assert capsys.readouterr().err == "foldwatch: --format: 'html' is not accepted beside --json; accepted: json\n"
    assert main(_arguments(search, "--format", "pdf")) == 2
    assert capsys.readouterr().err == "foldwatch: --format: 'pdf' is not accepted; accepted: text, json, html\n"
    assert main(_arguments(search, "--to", str(tmp_path / "a.pdf"))) == 2
    assert "'pdf' is not accepted" in capsys.readouterr().err
    assert main(_arguments(search, "--to", str(tmp_path / "nowhere" / "a.html"))) == 73
    assert "No such file or directory" in capsys.readouterr().err


def test_what_is_left_out_is_counted_and_said(tmp_path: Path) -> None:
    script = Script()
    made = script.half_way()
    for fold in (1, 2):
        made += script.failed(13, fold, "MemoryError", "")
    report = make_report(make_session(tmp_path, "half", made))
    assert report.counts == {"waiting": 8, "running": 1, "partial": 1, "complete": 13, "failed": 1}
    assert len(report.complete) == 13
    text = report.to_text(80)
    assert "1 failed" in text
    assert "13 of 24 combinations are complete so far" in text
    _Page(report.to_html())
    json.dumps(report.as_values(), allow_nan=False)


def test_only_the_last_stage_is_reviewed(surroundings: Path) -> None:
    space = {"epochs": 1, "hidden_units": [4, 8, 12, 16, 20]}
    search = fake_search(surroundings, space, subsample=1.0, stage=[{"subsample": 200, "keep": 3}, {"subsample": 300}])
    list(search.run())
    report = search.report()
    last = [one.index for one in search.state.combinations if one.stage == 1]
    assert len(last) == 3
    assert sorted(one.index for one in report.top) == last
    assert report.top[0].index == search.best_index_
    (effect,) = report.effects
    assert [level.count for level in effect.levels] == [1, 1, 1]
    assert isinstance(report.corrected_best, CorrectedBest)
    assert report.corrected_best.chosen_before == 2
    assert "against 2 others" in report.to_text(100)


def test_every_metric_is_in_every_form(tmp_path: Path) -> None:
    report = make_report(make_session(tmp_path, "a", Script(scoring=["accuracy", "f1_macro"]).everything()))
    best = report.top[0]
    mean, deviation = report.state.combinations[best.index].mean("f1_macro")
    text, page, values = report.to_text(200), report.to_html(), report.as_values()
    assert values["metrics"] == ["accuracy", "f1_macro"]
    assert values["top"][0]["metrics"]["f1_macro"] == {"mean": mean, "std": deviation}
    assert values["top"][0]["metrics"]["accuracy"] == {"mean": best.mean, "std": best.deviation}
    for written in (text, page):
        head, _, top = written.partition("TOP COMBINATIONS" if written is text else "Top combinations")
        assert f"f1_macro {mean:.4f} ± {deviation:.4f}" in head
        assert "f1_macro ± std" in top
        assert f"{mean:.4f} ± {deviation:.4f}" in top


def test_before_anything_is_complete(tmp_path: Path) -> None:
    script = Script()
    for name, made in (("new", []), ("begun", script.start())):
        make_session(tmp_path, name, made)
        report = make_report(open_session(name, tmp_path))
        assert "none is complete" in report.to_text()
        assert "No combination is complete on every fold" in report.to_html()
        assert report.as_values()["importance"]["explained"] is None
        _Page(report.to_html())
    with pytest.raises(UsageError, match="start the search first"):
        fake_search(tmp_path, {"epochs": 1}).report()


def test_text_from_outside_is_harmless(tmp_path: Path) -> None:
    evil = '</title><script>alert(1)</script>"\x1b]52;c;x\x07'
    params = [{**one, "activation": evil if n % 2 else "relu", evil: n % 3} for n, one in enumerate(combinations())]
    session = make_session(tmp_path, "evil", Script(params=params).everything(), dataset=evil)
    report = make_report(session)
    page = report.to_html()
    assert "<script" not in page
    assert {tag for tag, _ in _Page(page).elements}.isdisjoint({"script"})
    for made in (page, report.to_text(80)):
        assert "\x1b" not in made
        assert "\x07" not in made


def test_the_edge_of_what_was_searched_is_remarked(tmp_path: Path) -> None:
    session = make_session(tmp_path, "edge", Script().everything())
    report = make_report(session)
    remarks = report.remarks
    assert any("highest epochs searched, 20" in remark for remark in remarks)
    assert any("flatters" in remark for remark in remarks)  # without predictions there is no corrected score
    for text in (report.to_text(), report.to_html()):
        assert "~ within one standard error of the best" in text
        assert "≈" not in text


def test_an_interval_is_drawn_to_scale() -> None:
    assert interval_line(0.5, (0.25, 0.75), 0.0, 1.0, 9) == "  ├─●─┤  "
    assert interval_line(0.5, (-9.0, 9.0), 0.0, 1.0, 9) == "◂───●───▸"
    assert interval_line(0.5, None, 0.5, 0.5, 3) == " ● "


def test_a_chart_leaves_gaps_and_what_has_no_logarithm_out() -> None:
    chart = line_chart([Series([1, 2, 3], [0.1, None, 0.0], "rate")], "t", "epoch", numbering(), logarithmic=True)
    assert chart.count("points=") == 1
    assert 'points="219.0,99.0"' in chart
    assert line_chart([Series([1], [None], "rate")], "t", "epoch", numbering()) == ""
