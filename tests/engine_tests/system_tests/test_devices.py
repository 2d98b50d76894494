"""Devices that are asked for: named, refused where they are not, dealt out in turn, remembered by the session."""

from __future__ import annotations

import json
import sys
import types
from typing import TYPE_CHECKING, Any

import pytest

from engine.cli.main import main
from engine.errors import UsageError
from engine.plan.plan import make_plan
from engine.spec.combinations import combinations_of
from engine.spec.spec import SearchSpec
from engine.system import machine
from engine.system.machine import Gpu, gpus, parse_devices
from engine.workers.start import devices
from tests.fake_command import FakeSearch

if TYPE_CHECKING:
    from pathlib import Path

    from engine.plan.plan import Plan

CARDS = [Gpu(index, f"card {index}", 8 << 30) for index in (0, 2)]
VALUES: dict[str, Any] = {"dataset": "sample", "num_words": 1000, "subsample": 300, "space": {"epochs": [1, 2]}}


def _plan(trainer: str) -> Plan:
    spec = SearchSpec.from_values({**VALUES, "trainer": trainer})
    return make_plan(spec, combinations_of(spec))


@pytest.fixture
def two_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "gpus", lambda: CARDS)


@pytest.mark.parametrize(
    ("text", "names"), [("cpu", ["cpu"]), ("gpu:0, GPU:12,cpu,", ["gpu:0", "gpu:12", "cpu"]), ("cpu,cpu", ["cpu"])]
)
def test_names_are_listed_with_commas(text: str, names: list[str]) -> None:
    assert parse_devices(text) == names


@pytest.mark.parametrize("text", ["", " , ", "gpu", "gpu:", "gpu:-1", "cuda:0", "cpu gpu:0", "gpu:99999", "\x1b[31m"])
def test_what_is_no_device_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"devices: .* is not accepted; accepted: cpu, gpu:0"):
        parse_devices(text)


@pytest.mark.usefixtures("two_cards")
@pytest.mark.parametrize(
    ("trainer", "wanted", "dealt"),
    [
        ("keras", None, ["gpu:0", "gpu:2", "gpu:0"]),
        ("keras", ["gpu:2"], ["gpu:2"] * 3),
        ("keras", ["cpu", "gpu:0"], ["cpu", "gpu:0", "cpu"]),
        ("kernel", None, ["cpu"] * 3),
        ("kernel", ["cpu"], ["cpu"] * 3),
    ],
)
def test_devices_are_dealt_out_in_turn(trainer: str, wanted: list[str] | None, dealt: list[str]) -> None:
    assert devices(_plan(trainer), 3, wanted) == dealt


@pytest.mark.usefixtures("two_cards")
def test_a_device_that_is_not_there_or_would_lie_idle_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'gpu:1' is not accepted on this machine; accepted: cpu, gpu:0, gpu:2"):
        devices(_plan("keras"), 2, ["gpu:0", "gpu:1"])
    with pytest.raises(UsageError, match=r"the kernel trainer runs this whole search on the CPU.*trainer = \"keras\""):
        devices(_plan("kernel"), 2, ["cpu", "gpu:0"])


def test_a_session_remembers_them(surroundings: Path) -> None:
    search = FakeSearch(SearchSpec.from_values(VALUES), devices=["cpu"], name="there", sessions=surroundings)
    search.start()
    search.wait()
    assert search.session is not None
    assert search.session.record.devices == ["cpu"]
    state = search.state
    assert {worker.device for worker in state.workers.values()} == {"cpu"}
    again = FakeSearch.of_session("there", sessions=surroundings, devices=["gpu:7"])
    with pytest.raises(UsageError, match="'gpu:7' is not accepted on this machine"):
        again.start()


def test_run_refuses_before_anything_is_written(
    surroundings: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "spec.toml"
    path.write_text(SearchSpec.from_values(VALUES).to_toml())
    for text in ("gpu:99", "tpu"):
        assert main(["run", str(path), "--sessions", str(surroundings / "new"), "--devices", text]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert f"devices: '{text}' is not accepted" in said.err.splitlines()[-1]
    assert not (surroundings / "new").exists()


def test_doctor_lists_what_can_be_named(
    two_cards: None, surroundings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--json", "--sessions", str(surroundings)]) == 0
    assert json.loads(capsys.readouterr().out)["--devices"] == "cpu, gpu:0, gpu:2"


@pytest.mark.parametrize(
    ("visible", "indices"),
    [(None, [0, 1, 2]), ("", []), ("-1", []), ("2,0", [0, 2]), ("GPU-1b", [1]), ("GPU-9", [])],
)
def test_cards_that_the_environment_hides_are_not_there(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, indices: list[int]
) -> None:
    driver = types.SimpleNamespace(
        NVMLError=OSError,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetCount=lambda: 3,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetName=lambda index: f"card {index}".encode(),
        nvmlDeviceGetUUID=lambda index: f"GPU-{index}b",
        nvmlDeviceGetMemoryInfo=lambda index: types.SimpleNamespace(total=1 << 30),
    )
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [gpu.index for gpu in gpus()] == indices
