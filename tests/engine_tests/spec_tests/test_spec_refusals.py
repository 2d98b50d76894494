"""Every wrong spec is refused in one line that names place, value and what is accepted, and leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from engine.cli.main import main

DECAY = 'schedule = "ExponentialDecay", initial_learning_rate = 0.1, decay_rate = 0.9'


@dataclass(frozen=True)
class Wrong:
    """A spec, what is said of it (each piece must occur), and further arguments of the command."""

    toml: str
    said: tuple[str, ...]
    arguments: tuple[str, ...] = ()


def _reuters(space: str, said: tuple[str, ...]) -> Wrong:
    return Wrong(f'dataset = "reuters"\n[space]\n{space}', said)


def _sample(top: str, said: tuple[str, ...], *arguments: str) -> Wrong:
    return Wrong(f'dataset = "sample"\nnum_words = 1000\n{top}\n[space]\nepochs = 2', said, arguments)


WRONG = {
    "unknown key": _sample("fold = 3", ("fold:", "3", "'folds'?")),
    "a hyperparameter outside the space": _sample("epochs = 3", ("epochs:", "3", "space.epochs")),
    "wrong type": _sample('folds = "three"', ("folds:", "'three'", "a whole number")),
    "a boolean for a number": _sample("seed = true", ("seed:", "True", "a whole number")),
    "early stopping without patience": _sample("early_stopping = true", ("early_stopping:", "True", "patience")),
    "impatience": _sample("early_stopping = { patience = -1 }", ("early_stopping.patience:", "-1", "at least 0")),
    "early stopping of something else": _sample(
        'early_stopping = { patience = 1, monitor = "loss" }', ("early_stopping.monitor:", "'loss'", "min_delta")
    ),
    "no dataset": Wrong("[space]\nepochs = 2", ("dataset:", "None", "reuters, imdb, sample")),
    "no space": Wrong('dataset = "sample"', ("space:", "None", "a table of hyperparameters")),
    "unknown dataset": Wrong('dataset = "mnist"\n[space]', ("dataset:", "'mnist'", "reuters, imdb, sample")),
    "empty list": _reuters("epochs = []", ("space.epochs:", "[]", "at least one value")),
    "space that is no table": Wrong('dataset = "sample"\nspace = 5', ("space:", "5", "a table")),
    "empty list of spaces": Wrong('dataset = "sample"\nspace = []', ("space:", "[]", "a table")),
    "unknown hyperparameter": _reuters("epoch = 5", ("space.epoch:", "5", "'epochs'?")),
    "negative epochs": _reuters("epochs = [5, -1]", ("space.epochs[1]:", "-1", "a whole number at least 1")),
    "epochs in fractions": _reuters("epochs = 2.5", ("space.epochs:", "2.5", "a whole number")),
    "a date": _reuters("epochs = 1979-05-27", ("space.epochs:", "1979", "a whole number")),
    "a number beyond all bounds": _reuters(f"epochs = 1{'0' * 400}", ("space.epochs:", "a whole number")),
    "a number with too many digits to read": _reuters(f"epochs = 1{'0' * 5000}", ("wrong.toml:", "TOML")),
    "arrays without end": _reuters(f"epochs = {'[' * 100_000}", ("wrong.toml:", "TOML")),
    "batch larger than the data": _reuters(
        "batch_size = [128, 6000]", ("space.batch_size[1]:", "6000", "at most 5988, the training rows of a fold")
    ),
    "batch of nothing": _reuters("batch_size = 0", ("space.batch_size:", "0", "at least 1")),
    "dropout of everything": _reuters("dropout = 1.0", ("space.dropout:", "1.0", "below 1")),
    "not a number": _reuters("l2 = nan", ("space.l2:", "nan", "a number at least 0")),
    "unknown activation": _reuters('activation = "rellu"', ("space.activation:", "'rellu'", "relu")),
    "unknown optimizer": _reuters('optimizer = ["adam", "adamm"]', ("space.optimizer[1]:", "'adamm'", "adam")),
    "optimizer without a name": _reuters("optimizer = { momentum = 0.9 }", ("space.optimizer:", "momentum", "name")),
    "unknown optimizer argument": _reuters(
        'optimizer = { name = "sgd", momentun = 0.9 }', ("space.optimizer.momentun:", "0.9", "'momentum'?", "SGD")
    ),
    "an optimizer's impossible argument": _reuters(
        'optimizer = [{ name = "sgd", momentum = [0.5, 1.5] }]', ("space.optimizer[0].momentum[1]:", "1.5", "at most 1")
    ),
    "learning rate inside the optimizer": _reuters(
        'optimizer = { name = "sgd", learning_rate = 0.1 }', ("learning_rate:", "0.1", "space.learning_rate")
    ),
    "decay_rate without a schedule": _reuters(
        "learning_rate = { decay_rate = 0.9 }", ("space.learning_rate.decay_rate:", "0.9", "schedule")
    ),
    "unknown schedule": _reuters(
        'learning_rate = { schedule = "StepDecay" }', ("schedule:", "'StepDecay'", "ExponentialDecay")
    ),
    "schedule without decay steps": _reuters(
        f"learning_rate = {{ {DECAY} }}", ("space.learning_rate:", "ExponentialDecay with decay_epochs or decay_steps")
    ),
    "both decay_steps and decay_epochs": _reuters(
        f"learning_rate = {{ {DECAY}, decay_steps = 5, decay_epochs = 1 }}",
        ("space.learning_rate.decay_epochs:", "1", "not both"),
    ),
    "a schedule's unknown argument": _reuters(
        f"learning_rate = {{ {DECAY}, decay_epochs = 1, stairs = true }}", ("stairs:", "True", "'staircase'?")
    ),
    "decay over some word": _reuters(
        f'learning_rate = {{ {DECAY}, decay_epochs = "most" }}', ("decay_epochs:", "'most'", '"all"')
    ),
    "as many values as boundaries": _reuters(
        'learning_rate = { schedule = "PiecewiseConstantDecay", boundaries = [5], values = [0.1] }',
        ("learning_rate.values:", "[0.1]", "2 values"),
    ),
    "boundaries that fall": _reuters(
        'learning_rate = { schedule = "PiecewiseConstantDecay", boundaries = [5, 2], values = [0.1, 0.2, 0.3] }',
        ("boundaries:", "[5, 2]", "ascending"),
    ),
    "hidden_layers with units one by one": _reuters(
        "hidden_layers = 2\nhidden_units = [[128, 64]]", ("space.hidden_units:", "[[128, 64]]", "hidden_layers")
    ),
    "two kinds of clipping": _reuters(
        'optimizer = [{ name = "adam", clipnorm = 1.0, clipvalue = 0.5 }]',
        ("space.optimizer[0].clipvalue:", "0.5", "clipnorm", "Keras"),
    ),
    "a rate of nothing": _reuters("learning_rate = [1e-46]", ("space.learning_rate[0]:", "1e-46", "float32")),
    "a schedule of zeros": _reuters(
        'learning_rate = { schedule = "CosineDecay", initial_learning_rate = 0.0, decay_epochs = "all" }',
        ("space.learning_rate.initial_learning_rate:", "0.0", "above 0 at some step"),
    ),
    "a schedule that rises too late": _reuters(
        'epochs = 2\nlearning_rate = { schedule = "PiecewiseConstantDecay", boundaries = [94], values = [0.0, 0.1] }',
        ("space.learning_rate:", "above 0 at some step", "all 94"),
    ),
    "halving from beyond the end": Wrong(
        'dataset = "sample"\nstrategy = { hyperband = 9, least = 50 }\n[space]\nepochs = 9\nhidden_units = [1, 2, 3]',
        ("strategy.least:", "50", "at most 3"),
    ),
    "distribution with grid": _reuters(
        "learning_rate = { low = 0.001, high = 0.1 }", ("space.learning_rate:", "0.001", "random")
    ),
    "low above high": _reuters("dropout = { low = 0.5, high = 0.1 }", ("space.dropout.high:", "0.1", "above low")),
    "logarithm of zero": _reuters("l2 = { low = 0.0, high = 0.1, log = true }", ("space.l2.low:", "0.0", "above 0")),
    "a distribution without end": _reuters("l2 = { low = 0.0 }", ("space.l2:", "0.0", "low and high")),
    "a distribution's unknown key": _reuters("l2 = { low = 0, hihg = 1 }", ("space.l2.hihg:", "1", "high")),
    "subsample of nothing": _sample("subsample = 0", ("subsample:", "0", "a fraction above 0")),
    "subsample of more than all": _sample("subsample = 1.5", ("subsample:", "1.5", "at most 1.0")),
    "too many rows": _sample("subsample = 9000", ("subsample:", "9000", "8982")),
    "too few rows for the folds": _sample("subsample = 5", ("subsample:", "5", "at least 6 rows")),
    "one fold": _sample("folds = 1", ("folds:", "1", "at least 2")),
    "more folds than rows of any class": _sample("folds = 900\nsubsample = 2000", ("folds:", "900")),
    "scoring of nothing": _sample("scoring = []", ("scoring:", "[]", "at least one")),
    "name that begins a scorer": _sample('scoring = ["acc"]', ("scoring[0]:", "'acc'", "'accuracy'?")),
    "unknown scorer": _sample('scoring = ["acuracy"]', ("scoring[0]:", "'acuracy'", "'accuracy'?")),
    "a scorer twice": _sample('scoring = ["accuracy", "accuracy"]', ("scoring[1]:", "'accuracy'", "once")),
    "scoring for two classes": Wrong(
        'dataset = "reuters"\nscoring = ["accuracy", "roc_auc"]\n[space]', ("scoring[1]:", "'roc_auc'", "46 classes")
    ),
    "a class missing in a fold": _sample(
        'subsample = 300\nscoring = ["accuracy", "roc_auc_ovr"]',
        ("scoring[1]:", "'roc_auc_ovr'", "has no row of class", "synthetic topic"),
    ),
    "words beyond all": _sample("", ("num_words:", "3", "at least 4"), "--set", "num_words=3"),
    "unknown strategy": _sample('strategy = "annealing"', ("strategy:", "'annealing'", "random")),
    "strategy without its number": _sample('strategy = "bayes"', ("strategy:", "'bayes'", "{ bayes = n }")),
    "draws of nothing": _sample("strategy = { random = 0 }", ("strategy.random:", "0", "at least 1")),
    "unknown trainer": _sample('trainer = "torch"', ("trainer:", "'torch'", "auto, kernel, keras")),
    "not TOML": Wrong("dataset = \n", ("wrong.toml:", "TOML", "line 1")),
    "control characters in a name": Wrong('"a\\nb\\u001b[31m" = 1', ("a⏎b", "1", "a key")),
    "set without a value": _sample("", ("--set:", "'epochs'", "key=value"), "--set", "epochs"),
    "set below no table": _sample("", ("--set:", "space.epochs.more=1", "table"), "--set", "space.epochs.more=1"),
    "set to the wrong value": _sample("", ("space.epochs:", "'many'"), "--set", "space.epochs=many"),
    "a name with bad characters": _sample("", ("session name", "'../up'", "a-z"), "--name", "../up"),
    "a name in capitals": _sample("", ("session name", "'Mine'", "a-z"), "--name", "Mine"),
    "no workers": _sample("", ("--workers", "1"), "--workers", "0"),
    "unknown option": _sample("", ("--wrokers",), "--wrokers", "2"),
    "missing data folder": Wrong(
        'dataset = "reuters"\n[space]', ("/nowhere/reuters.npz", "no such file"), ("--data-dir", "/nowhere")
    ),
}


def _one_line(capsys: pytest.CaptureFixture[str], said: tuple[str, ...]) -> None:
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [line for line in captured.err.splitlines() if not line.startswith(("making ", "reading "))]
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("foldwatch: ")
    for piece in said:
        assert piece in lines[0]
    assert len(lines[0]) < 1200


def test_there_are_more_than_thirty() -> None:
    assert len(WRONG) > 30


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_spec_is_refused_in_a_line(name: str, surroundings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = WRONG[name]
    path = Path("wrong.toml").absolute()
    path.write_text(wrong.toml)
    assert main(["run", str(path), "--sessions", str(surroundings), *wrong.arguments]) == 2
    _one_line(capsys, wrong.said)
    assert not surroundings.exists()
    assert [entry.name for entry in path.parent.iterdir()] == ["wrong.toml"]


@pytest.mark.parametrize("name", ["unknown key", "negative epochs", "unknown scorer", "not TOML"])
def test_plan_refuses_the_same(name: str, surroundings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("wrong.toml").write_text(WRONG[name].toml)
    assert main(["plan", "wrong.toml"]) == 2
    _one_line(capsys, WRONG[name].said)


def test_a_file_that_is_no_spec(surroundings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("latin.toml").write_bytes('dataset = "r\xe9uters"\n[space]'.encode("latin-1"))
    Path("large.toml").write_bytes(b"# " * (1 << 20))
    Path("folder.toml").mkdir()
    for path, said in (
        ("latin.toml", ("latin.toml:", "utf-8", "TOML")),
        ("large.toml", ("large.toml:", "1 MiB")),
        ("folder.toml", ("folder.toml:", "is a folder")),
        ("missing.toml", ("missing.toml:", "No such file")),
    ):
        assert main(["run", path, "--sessions", str(surroundings)]) == 2
        _one_line(capsys, said)
    assert not surroundings.exists()


@pytest.mark.parametrize("name", ["missing a file", "truncated", "not an archive", "runs code", "labels too large"])
def test_data_that_are_refused(name: str, surroundings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("data")
    folder.mkdir()
    canary = Path("canary").absolute()
    rows = np.empty(60, object)
    rows[:] = [list(range(1, 20)) for _ in range(60)]
    path = folder / "reuters.npz"
    if name == "runs code":
        rows[7] = _Touch(str(canary))
    if name != "missing a file":
        np.savez_compressed(path, x=rows, y=np.full(60, 99) if name == "labels too large" else np.arange(60) % 46)
    if name == "truncated":
        path.write_bytes(path.read_bytes()[:-40])
    if name == "not an archive":
        path.write_bytes(b"\x80\x04 no archive")
    Path("spec.toml").write_text('dataset = "reuters"\nnum_words = 100\n[space]\nbatch_size = 8')
    assert main(["run", "spec.toml", "--sessions", str(surroundings), "--data-dir", "data"]) == 2
    _one_line(capsys, ("data/reuters.npz:", "99" if name == "labels too large" else ""))
    assert not canary.exists()
    assert not surroundings.exists()


class _Touch:
    """Unpickled, it makes a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path(self.path),)  # type: ignore[return-value]


def test_the_real_command_says_the_same(surroundings: Path) -> None:
    Path("wrong.toml").write_text(WRONG["unknown optimizer argument"].toml)
    command = [sys.executable, "-P", "-m", "engine", "run", "wrong.toml", "--sessions", str(surroundings)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "space.optimizer.momentun: 0.9 is not accepted; accepted: 'momentum'?" in done.stderr
    assert not surroundings.exists()
