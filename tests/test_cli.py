"""The command line reads what it is given, says what is wrong before it trains, and writes rows."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import tabgan
from tabgan.cli import main
from tabgan.cli.commands import MODELS
from tabgan.cli.files import read_table
from tabgan.datasets import load_adult, make_mixed_table
from tabgan.table.schema import Schema


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder, so that messages hold short names."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def people(folder):
    """A small table in people.csv."""
    table = make_mixed_table(300, missing=0.1, random_state=0)
    table.to_csv("people.csv", index=False)
    return table


class Recorder:
    """Stands for a synthesizer: remembers how it was made and gives its rows back."""

    made: list[Recorder]

    def __init__(self, **settings):
        self.settings = settings
        self.made.append(self)

    def fit(self, table):
        self.table = table
        return self

    def sample(self, n_samples=1, random_state=None, *, conditions=None):
        self.asked = {
            "n_samples": n_samples,
            "random_state": random_state,
            "conditions": conditions,
        }
        return self.table.sample(n_samples, replace=True, random_state=0, ignore_index=True)


@pytest.fixture
def recorder(monkeypatch):
    """Put the recorder in place of the synthesizers of which the tests below name the classes."""
    Recorder.made = []
    monkeypatch.setattr(tabgan, "AutoregressiveSynthesizer", Recorder)
    monkeypatch.setattr(tabgan, "CGANSynthesizer", Recorder)
    return Recorder


def fails(capsys, argv, message, status=2):
    """Check that a command line is refused with exactly this message."""
    assert main(argv) == status
    captured = capsys.readouterr()
    assert captured.err == f"tabgan: error: {message}\n"
    assert captured.out == ""


class TestArguments:
    def test_reach_the_synthesizer(self, people, recorder):
        argv = "synthesize people.csv --rows 7 --out made.csv --steps 3 --seed 5 --device cpu"
        assert main([*argv.split(), "--condition", "colour=red", "--condition", "count=1..9"]) == 0
        [model] = recorder.made
        assert model.settings == {"random_state": 5, "device": "cpu", "verbose": 1, "n_steps": 3}
        conditions = {"colour": "red", "count": pd.Interval(1, 9, closed="both")}
        assert model.asked == {"n_samples": 7, "random_state": 5, "conditions": conditions}
        assert list(model.table) == list(people)
        assert len(pd.read_csv("made.csv")) == 7

    def test_privacy_reaches_the_synthesizer(self, people, recorder):
        assert main(["synthesize", "people.csv", "--out", "made.csv", "--privacy", "none"]) == 0
        assert recorder.made[0].settings["privacy"] == "none"

    def test_defaults_are_the_synthesizers(self, people, recorder, capsys):
        assert main(["synthesize", "people.csv", "--out", "made.csv", "--quiet"]) == 0
        [model] = recorder.made
        assert model.settings == {"random_state": None, "device": "auto", "verbose": 0}
        assert model.asked == {"n_samples": 300, "random_state": None, "conditions": None}
        captured = capsys.readouterr()
        assert captured.out == captured.err == ""

    @pytest.mark.parametrize("name", sorted(MODELS))
    def test_every_model_takes_them(self, name):
        parameters = getattr(tabgan, MODELS[name])().get_params()
        assert {"random_state", "device", "verbose", "n_steps"} <= parameters.keys()

    def test_cgan_is_trained_for_the_conditions(self, people, recorder):
        argv = "synthesize people.csv --out made.csv --model cgan --condition".split()
        assert main([*argv, "size=small", "--condition", "member=true"]) == 0
        assert recorder.made[0].settings["condition_columns"] == ["size", "member"]

    def test_messages_go_to_standard_error(self, people, recorder, capsys):
        assert main(["synthesize", "people.csv", "--out", "made.csv"]) == 0
        captured = capsys.readouterr()
        assert captured.out == ""
        assert re.fullmatch(
            r"Learnt 300 rows with autoregressive in \d+ s\.\nWrote 300 rows to made\.csv\.\n",
            captured.err,
        )

    @pytest.mark.parametrize(
        ("argv", "message"),
        [
            (["synthesize"], "required: table, --out"),
            (["synthesize", "people.csv"], "required: --out"),
            ([], "required: command"),
            (
                ["synthesize", "people.csv", "--out", "a.csv", "--rows", "0"],
                "argument --rows: must be from 1 to 2147483647, got 0",
            ),
            (
                ["synthesize", "people.csv", "--out", "a.csv", "--steps", "few"],
                "argument --steps: must be an integer, got 'few'",
            ),
            (
                ["sample", "m", "--out", "a.csv", "--rows", "1" + "0" * 30],
                f"argument --rows: must be from 1 to 2147483647, got 1{'0' * 29}",
            ),
            (["demo", "--seed", "-1"], "argument --seed: must be from 0 to 4294967295, got -1"),
            (["synthesize", "people.csv", "--out", "a.csv", "--model", "vae"], "invalid choice"),
        ],
    )
    def test_usage_errors(self, argv, message, capsys):
        with pytest.raises(SystemExit) as exit_:
            main(argv)
        assert exit_.value.code == 2
        assert message in capsys.readouterr().err

    def test_version(self, capsys):
        with pytest.raises(SystemExit) as exit_:
            main(["--version"])
        assert exit_.value.code == 0
        assert capsys.readouterr().out == f"tabgan {tabgan.__version__}\n"

    def test_help_does_not_wait_for_torch(self):
        code = (
            "import runpy, sys\n"
            "sys.argv = ['tabgan', '--help']\n"
            "try:\n"
            "    runpy.run_module('tabgan', run_name='__main__')\n"
            "except SystemExit as end:\n"
            "    assert end.code == 0\n"
            "assert 'torch' not in sys.modules\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        for command in ("synthesize", "sample", "evaluate", "demo"):
            assert command in done.stdout


class TestErrors:
    """Each is found before anything is trained, so no synthesizer is there to be made."""

    @pytest.fixture(autouse=True)
    def files(self, people, recorder):
        yield
        assert recorder.made == []

    @pytest.mark.parametrize(
        ("table", "message"),
        [
            ("nowhere.csv", "nowhere.csv: there is no such file."),
            (
                "people.txt",
                "people.txt: the name of a table must end in .csv, .csv.gz or .parquet.",
            ),
        ],
    )
    def test_input_name(self, table, message, capsys):
        fails(capsys, ["synthesize", table, "--out", "made.csv"], message)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "bad.csv: is empty; its first line must name the columns."),
            (b"a,b\n", "bad.csv: has no rows."),
            (b"a,b\n1,2,3\n", "bad.csv: its rows have more values than its first line has names."),
            (b"a\n\xff\n", "bad.csv: is not text in UTF-8; convert it first."),
            (
                b"a\n1.5\ninf\n",
                "bad.csv contains infinity in column 'a'; replace infinite values, for example by "
                "missing ones: X.replace([np.inf, -np.inf], np.nan).",
            ),
        ],
    )
    def test_input_content(self, folder, content, message, capsys):
        Path("bad.csv").write_bytes(content)
        fails(capsys, ["synthesize", "bad.csv", "--out", "made.csv"], message)

    @pytest.mark.parametrize(
        ("name", "content"),
        [("bad.csv", b"a,b\n1,2\n1,2,3\n"), ("bad.csv.gz", b"bad"), ("bad.parquet", b"bad")],
    )
    def test_what_its_reader_refuses(self, folder, name, content, capsys):
        Path(name).write_bytes(content)
        assert main(["synthesize", name, "--out", "made.csv"]) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"tabgan: error: {name}: cannot be read: ")

    @pytest.mark.parametrize(
        ("out", "message"),
        [
            ("made.xls", "made.xls: the name of a table must end in .csv, .csv.gz or .parquet."),
            ("no/made.csv", "no/made.csv: there is no folder no; make it first."),
            ("folder.csv", "folder.csv: is a folder; name a file in it."),
            ("people.csv", "people.csv: is named twice; each file needs a name of its own."),
        ],
    )
    def test_output(self, folder, out, message, capsys):
        Path("folder.csv").mkdir()
        fails(capsys, ["synthesize", "people.csv", "--out", out], message)

    def test_output_without_permission(self, capsys, monkeypatch):
        monkeypatch.setattr("os.access", lambda *_: False)
        message = "made.csv: must not be written, by its permissions; name another file."
        fails(capsys, ["synthesize", "people.csv", "--out", "made.csv"], message)

    def test_parquet_needs_pyarrow(self, capsys, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        message = (
            "Parquet files need pyarrow; install it with: pip install 'sklearn-tabgan[parquet]'."
        )
        argv = ["synthesize", "people.csv", "--out", "made.parquet"]
        fails(capsys, argv, message, status=1)

    def test_model_and_rows_in_one_file(self, capsys):
        message = "made.csv: is named twice; each file needs a name of its own."
        argv = ["synthesize", "people.csv", "--out", "made.csv", "--save", "made.csv"]
        fails(capsys, argv, message)

    def test_condition(self, capsys):
        message = "--condition color: there is no such column; did you mean 'colour'?"
        argv = ["synthesize", "people.csv", "--out", "made.csv", "--condition", "color=red"]
        fails(capsys, argv, message)

    def test_cgan_without_conditions(self, capsys):
        message = (
            "--model cgan learns to make what is asked for; "
            "ask for something with --condition COLUMN=VALUE."
        )
        fails(capsys, "synthesize people.csv --out made.csv --model cgan".split(), message)

    @pytest.mark.parametrize("cls", [tabgan.GAINImputer, tabgan.DenoisingFeaturizer])
    def test_sample_from_a_model_that_makes_no_rows(self, folder, capsys, cls):
        cls(n_steps=0).fit(pd.DataFrame({"x": [1.0, 2.5, 3.5]})).save("other.tabgan")
        argv = ["sample", "other.tabgan", "--rows", "3", "--out", "rows.csv"]
        fails(capsys, argv, f"other.tabgan: holds a {cls.__name__}, which makes no new rows.")

    def test_sample_without_a_model(self, folder, capsys):
        argv = ["sample", "none.tabgan", "--rows", "1", "--out", "made.csv"]
        fails(capsys, argv, "none.tabgan: there is no such file.")
        Path("bad.tabgan").write_bytes(b"bad")
        assert main(["sample", "bad.tabgan", "--rows", "1", "--out", "made.csv"]) == 2
        assert capsys.readouterr().err.startswith("tabgan: error: ")

    def test_evaluate(self, people, capsys):
        people.drop(columns="size").to_csv("less.csv", index=False)
        argv = ["evaluate", "people.csv", "less.csv"]
        fails(capsys, argv, "less.csv: has no column 'size', which people.csv has.")
        argv = ["evaluate", "people.csv", "people.csv", "--target", "bougt"]
        message = "--target needs real rows to score on; give them with --test TABLE."
        fails(capsys, argv, message)
        argv += ["--test", "people.csv"]
        message = "--target bougt: there is no such column; did you mean 'bought'?"
        fails(capsys, argv, message)
        argv = ["evaluate", "people.csv", "people.csv", "--audit"]
        message = "--audit needs real rows that were not learnt; give them with --test TABLE."
        fails(capsys, argv, message)
        argv = ["evaluate", "people.csv", "people.csv", "--html", "no/report.html"]
        fails(capsys, argv, "no/report.html: there is no folder no; make it first.")

    def test_demo_folder(self, capsys):
        fails(
            capsys,
            ["demo", "--out", "people.csv"],
            "people.csv: this folder cannot be made (File exists).",
        )


class TestFailures:
    argv = ("synthesize", "people.csv", "--out", "made.csv")

    def test_one_line_and_status_one(self, people, recorder, capsys, monkeypatch):
        def fit(self, table):
            raise RuntimeError("no luck")

        monkeypatch.setattr(recorder, "fit", fit)
        fails(capsys, self.argv, "no luck", status=1)
        with pytest.raises(RuntimeError, match="no luck"):
            main([*self.argv, "--debug"])

    def test_a_long_error_is_cut_to_one_line(self, people, recorder, capsys, monkeypatch):
        def fit(self, table):
            raise RuntimeError("no\n  luck " + "at all " * 1000)

        monkeypatch.setattr(recorder, "fit", fit)
        assert main(self.argv) == 1
        error = capsys.readouterr().err
        assert error.startswith("tabgan: error: no luck at all at all")
        assert error.endswith("...\n")
        assert error.count("\n") == 1
        assert len(error) < 330

    def test_an_error_without_words_is_named(self, people, recorder, capsys, monkeypatch):
        def fit(self, table):
            raise MemoryError

        monkeypatch.setattr(recorder, "fit", fit)
        fails(capsys, self.argv, "MemoryError", status=1)

    def test_interrupt(self, people, recorder, capsys, monkeypatch):
        def fit(self, table):
            raise KeyboardInterrupt

        monkeypatch.setattr(recorder, "fit", fit)
        assert main(self.argv) == 130
        assert capsys.readouterr().err == "tabgan: interrupted\n"

    def test_interrupt_that_fit_survives(self, people, capsys, monkeypatch):
        def step(self, *_):
            raise KeyboardInterrupt

        monkeypatch.setattr("tabgan.adversarial.updates.AlternatingUpdate.step", step)
        assert main([*self.argv, "--quiet"]) == 130
        assert capsys.readouterr().err == "tabgan: interrupted\n"

    def test_warnings_are_one_line(self, folder, recorder, capsys, monkeypatch):
        pd.DataFrame({"id": [f"person {i}" for i in range(60)]}).to_csv("people.csv", index=False)

        def fit(self, table):
            Schema.infer(table)
            return Recorder.fit(self, table)

        class Warns(Recorder):
            pass

        Warns.fit = fit
        monkeypatch.setattr(tabgan, "AutoregressiveSynthesizer", Warns)
        assert main([*self.argv, "--quiet"]) == 0
        error = capsys.readouterr().err
        assert error.startswith("tabgan: warning: column 'id' of X looks like an identifier")
        assert error.count("\n") == 1


class TestForReal:
    """With the synthesizers themselves, hardly trained."""

    few = ("--steps", "5", "--seed", "0", "--quiet")

    @pytest.mark.parametrize("model", ["aae", "cgan"])
    def test_synthesize_and_sample(self, people, model):
        argv = ["synthesize", "people.csv", "--rows", "40", "--out", "made.csv", "--model", model]
        wanted = ["--condition", "member=true"]
        assert main([*argv, *wanted, "--save", "it.tabgan", *self.few]) == 0
        made, real = read_table(Path("made.csv")), read_table(Path("people.csv"))
        assert list(made) == list(real)
        assert len(made) == 40
        assert made["member"].all()
        argv = ["sample", "it.tabgan", "--rows", "40", "--seed", "0", "--quiet"]
        assert main([*argv, *wanted, "--out", "again.csv"]) == 0
        pd.testing.assert_frame_equal(read_table(Path("again.csv")), made)
        assert main([*argv, "--out", "free.parquet"]) == 0
        assert len(pd.read_parquet("free.parquet")) == 40

    def test_intervals_and_dates(self, people):
        argv = ["synthesize", "people.csv", "--rows", "20", "--out", "made.parquet", *self.few]
        argv += ["--condition", "count=2..9", "--condition", "joined=2020-01-01..2023-01-01"]
        assert main(argv) == 0
        made = pd.read_parquet("made.parquet")
        assert made["count"].between(2, 9).all()
        assert made["joined"].between("2020-01-01", "2023-01-01").all()

    def test_files_of_conditions_and_rates(self, people, capsys):
        train = "synthesize people.csv --out made.csv --save m.tabgan".split()
        assert main([*train, *self.few, "--privacy", "none"]) == 0  # warns of nothing
        message = "--rows: say how many rows to write, or give --conditions FILE."
        fails(capsys, ["sample", "m.tabgan", "--out", "more.csv"], message)
        Path("asked.csv").write_text("colour,count\nred,\n,2..9\n")
        argv = "sample m.tabgan --conditions asked.csv --quiet --out more.csv".split()
        assert main(argv) == 0
        rows = pd.read_csv("more.csv")
        assert len(rows) == 2 and rows["colour"][0] == "red" and 2 <= rows["count"][1] <= 9
        fails(
            capsys, [*argv, "--rows", "3"], "--rows 3: --conditions has 2 rows; leave --rows out."
        )
        message = "--conditions and --condition are both given; put all into the file."
        fails(capsys, [*argv, "--condition", "colour=red"], message)
        rates = ["--rates", "colour=blue:0.5", "--rows", "10"]
        assert main(["sample", "m.tabgan", "--quiet", "--out", "half.csv", *rates]) == 0
        assert (pd.read_csv("half.csv")["colour"] == "blue").sum() == 5

    def test_unknown_device(self, people, capsys):
        assert main(["synthesize", "people.csv", "--out", "made.csv", "--device", "abacus"]) == 1
        assert capsys.readouterr().err.startswith("tabgan: error: ")

    def test_evaluate(self, people, capsys):
        make_mixed_table(300, random_state=1).to_csv("made.csv", index=False)
        make_mixed_table(200, random_state=2).to_csv("test.csv.gz", index=False)
        argv = ["evaluate", "people.csv", "made.csv", "--test", "test.csv.gz"]
        argv += ["--target", "bought", "--html", "report.html", "--json", "report.json", "--audit"]
        assert main(argv) == 0
        captured = capsys.readouterr()
        assert captured.err == ""
        assert re.search(r"^shape +0\.\d{3} +0\.\d{3} ", captured.out, re.MULTILINE)
        assert re.search(r"^linkability +-?0\.\d{3} +", captured.out, re.MULTILINE)
        assert "Privacy audit" in Path("report.html").read_text(encoding="utf-8")
        assert json.loads(Path("report.json").read_text(encoding="utf-8"))["audit"]["figures"]

    def test_demo(self, folder, capsys, monkeypatch):
        few = tuple(table.head(2000) for table in load_adult())
        monkeypatch.setattr("tabgan.datasets.load_adult", lambda: few)
        assert main(["demo", "--out", "here/demo", "--rows", "500", *self.few]) == 0
        made = pd.read_csv("here/demo/synthetic_adult.csv")
        assert made.shape == (500, 15)
        assert list(made) == list(load_adult()[0])
        assert Path("here/demo/report.html").stat().st_size > 1000
        assert re.search(r"^roc_auc +0\.\d{3} +0\.\d{3} ", capsys.readouterr().out, re.MULTILINE)

    def test_a_reader_that_leaves_is_no_error(self, people):
        process = subprocess.Popen(
            [sys.executable, "-m", "tabgan", "evaluate", "people.csv", "people.csv"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        process.stdout.close()
        assert process.wait(timeout=120) == 1
        assert process.stderr.read() == ""
        process.stderr.close()

    def test_as_a_process(self, people):
        argv = ["evaluate", "people.csv", "nowhere.csv"]
        done = subprocess.run(
            [sys.executable, "-m", "tabgan", *argv], capture_output=True, text=True
        )
        assert done.returncode == 2
        assert done.stderr == "tabgan: error: nowhere.csv: there is no such file.\n"
