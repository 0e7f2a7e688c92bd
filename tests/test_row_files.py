"""Rows drawn and written in parts: seeds, conditions, files, and work that was interrupted."""

from __future__ import annotations

import pathlib

import pandas as pd
import pytest
import torch
from seeds import seed

import tabgan
from tabgan.cli import main
from tabgan.constraints import Unique
from tabgan.datasets import make_mixed_table
from tabgan.estimators import sampling
from tabgan.table.columns import IdentifierColumn
from tabgan.table.row_files import RowFile

pytest.importorskip("pyarrow")
PART = 50


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(sampling, "PART_ROWS", PART)


@pytest.fixture(scope="module")
def table():
    table = make_mixed_table(300, random_state=0)
    table["key"] = [f"row {i}" for i in range(300)]
    return table


@pytest.fixture(scope="module")
def model(table):
    # A model that has learnt something rejects few rows, which makes each draw quick.
    settings = {"n_steps": 100, "hidden_dim": 32, "random_state": 0, "device": "cpu"}
    settings["privacy"] = "none"
    with pytest.warns(UserWarning, match="looks like an identifier"):
        return tabgan.AutoregressiveSynthesizer(**settings).fit(table)


def joined(model, n, **asked):
    return pd.concat(list(model.iter_sample(n, chunk=PART, **asked)), ignore_index=True)


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv", "rows.csv.gz"])
def test_a_file_holds_what_iter_sample_yields(model, tmp_path, name):
    path = model.sample(120, random_state=3, into=tmp_path / name)
    rows = joined(model, 120, random_state=3)
    assert path == tmp_path / name and [each.name for each in tmp_path.iterdir()] == [name]
    if name == "rows.parquet":
        pd.testing.assert_frame_equal(pd.read_parquet(path), rows)
    else:
        rows.to_csv(tmp_path / "same.csv", index=False)
        pd.testing.assert_frame_equal(pd.read_csv(path), pd.read_csv(tmp_path / "same.csv"))


def test_parts_have_the_sizes_asked_for(model):
    assert [len(part) for part in model.iter_sample(11, chunk=4)] == [4, 4, 3]
    assert [len(part) for part in model.iter_sample(3, chunk=10)] == [3]


def test_a_part_depends_on_the_seed_and_its_number_alone(model):
    one, other = (list(model.iter_sample(n, random_state=1, chunk=40)) for n in (120, 80))
    for mine, yours in zip(one, other, strict=False):
        pd.testing.assert_frame_equal(mine, yours)
    assert not one[0].drop(columns="key").equals(one[1].drop(columns="key"))


def test_without_a_seed_calls_differ(model):
    one, other = (joined(model, 60) for _ in range(2))
    assert not one.equals(other)


def test_identifiers_differ_over_all_parts(model):
    keys = joined(model, 130)["key"]
    assert keys.is_unique and keys.iloc[0] == "row 300" and keys.iloc[-1] == "row 429"


@pytest.mark.parametrize("dtype", ["int64", "uint8", "int8"])
def test_numbers_that_identify_count_on(dtype):
    column = IdentifierColumn("n", dtype, "", 100, 0, is_number=True, step=2, least=2)
    parts = [column.after(start).series(pd.Series([False] * 5).to_numpy()) for start in (0, 5, 10)]
    assert pd.concat(parts).is_unique


def test_conditions_and_rates_hold_in_parts(model, monkeypatch):
    monkeypatch.setattr("tabgan.generation.on_demand.N_POOL", 1_000)
    rows = joined(model, 120, conditions={"colour": "red"}, rates={"member": {True: 0.5}})
    assert (rows["colour"] == "red").all()
    # Each part misses its share by less than one row.
    assert abs(int(rows["member"].sum()) - 60) < 3


def test_conditions_of_each_row_stay_with_their_rows(model, tmp_path):
    asked = pd.DataFrame({"colour": ["red", "green", "blue"] * 40})
    asked = asked[asked["colour"].isin(model.schema_["colour"].categories)].reset_index(drop=True)
    path = model.sample(conditions=asked, into=tmp_path / "rows.parquet")
    assert pd.read_parquet(path)["colour"].tolist() == asked["colour"].tolist()


def interrupted(monkeypatch, model, path, after, **asked):
    """Write rows until some parts are there, and stop as Ctrl-C does."""
    write = RowFile.write

    def stop(self, k, table):
        if k >= after:
            raise KeyboardInterrupt
        write(self, k, table)

    with monkeypatch.context() as patched:
        patched.setattr(RowFile, "write", stop)
        with pytest.raises(KeyboardInterrupt):
            model.sample(into=path, **asked)


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv"])
@pytest.mark.parametrize("random_state", [7, None])
def test_an_interrupted_file_goes_on(model, tmp_path, monkeypatch, name, random_state):
    path = tmp_path / name
    interrupted(monkeypatch, model, path, 2, n_samples=230, random_state=random_state)
    assert not path.exists() and (tmp_path / f"{name}.parts").is_dir()
    kept = RowFile(path).known()["seed"]
    written = []
    monkeypatch.setattr(RowFile, "write", _noting(written))
    model.sample(230, random_state, into=path, resume=True)
    assert sorted(written) == [2, 3, 4]
    with monkeypatch.context() as patched:
        patched.setattr(type(model), "_key", lambda self, random_state: kept)
        again = model.sample(230, into=tmp_path / f"whole_{name}")
    assert path.read_bytes() == again.read_bytes()


def _noting(written):
    write = RowFile.write

    def noting(self, k, table):
        written.append(k)
        write(self, k, table)

    return noting


def test_threads_leave_settings_and_rows_alone(model, tmp_path):
    threads, files = torch.get_num_threads(), []
    try:
        for n in (1, 3):
            torch.set_num_threads(n)
            files.append(model.sample(230, random_state=0, into=tmp_path / f"{n}.csv"))
            assert torch.get_num_threads() == n
    finally:
        torch.set_num_threads(threads)
    assert torch.get_float32_matmul_precision() == "highest"
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_call_that_was_killed_while_it_made_the_folder_can_be_repeated(model, tmp_path):
    folder = tmp_path / "rows.csv.parts"
    for left in ([], [".about.json.0123456789abcdef.unfinished"]):
        folder.mkdir()
        for name in left:
            (folder / name).write_text("{")
        path = model.sample(60, random_state=0, into=tmp_path / "rows.csv", resume=True)
        assert len(pd.read_csv(path)) == 60 and not folder.exists()


@pytest.mark.parametrize("n_deleted", [0, 1, 2])
def test_a_call_that_was_killed_while_it_deleted_the_folder_can_be_repeated(
    model, tmp_path, monkeypatch, n_deleted
):
    whole = model.sample(120, random_state=0, into=tmp_path / "whole.csv")
    unlink, left = pathlib.Path.unlink, n_deleted

    def cut_short(path, *args, **options):
        nonlocal left
        if path.parent.name.endswith(".parts") and path.suffix == ".csv":
            if not left:
                raise KeyboardInterrupt
            left -= 1
        unlink(path, *args, **options)

    path = tmp_path / "rows.csv"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(pathlib.Path, "unlink", cut_short)
        model.sample(120, random_state=0, into=path)
    model.sample(120, random_state=0, into=path, resume=True)
    assert path.read_bytes() == whole.read_bytes()
    assert {each.name for each in tmp_path.iterdir()} == {"rows.csv", "whole.csv"}


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv", "rows.csv.gz"])
def test_a_full_disk_is_told_with_the_file_and_can_be_mended(model, tmp_path, name):
    resource = pytest.importorskip("resource")
    path = tmp_path / name
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (700, hard))
    try:
        with pytest.raises(OSError, match=f"{name}.* could not be written"):
            model.sample(120, random_state=0, into=path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not path.exists()
    model.sample(120, random_state=0, into=path, resume=True)
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_parts_of_other_rows_are_refused(model, table, tmp_path, monkeypatch):
    path = tmp_path / "rows.csv"
    interrupted(monkeypatch, model, path, 1, n_samples=120, random_state=0)
    with pytest.raises(ValueError, match="another .*n_samples"):
        model.sample(130, random_state=0, into=path, resume=True)
    with pytest.raises(ValueError, match="another .*seed"):
        model.sample(120, random_state=1, into=path, resume=True)
    with pytest.raises(ValueError, match="another .*conditions"):
        model.sample(120, 0, conditions={"colour": "red"}, into=path, resume=True)
    other = tabgan.GANSynthesizer(n_steps=1, random_state=0).fit(table.drop(columns="key"))
    with pytest.raises(ValueError, match="another .*model"):
        other.sample(120, random_state=0, into=path, resume=True)
    # Without `resume` the parts give way.
    other.sample(120, random_state=0, into=path)
    assert len(pd.read_csv(path)) == 120 and not (tmp_path / "rows.csv.parts").exists()


def test_resume_without_parts_begins(model, tmp_path):
    path = model.sample(60, random_state=0, into=tmp_path / "rows.csv", resume=True)
    assert len(pd.read_csv(path)) == 60


def test_a_folder_of_other_files_is_left_alone(model, tmp_path):
    (tmp_path / "rows.csv.parts").mkdir()
    (tmp_path / "rows.csv.parts" / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds other files"):
        model.sample(60, into=tmp_path / "rows.csv")
    assert (tmp_path / "rows.csv.parts" / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "into, told",
    [
        ("rows.txt", "must end in .parquet"),
        ("no folder/rows.csv", "lies in no folder"),
        (3, "must be the path of a file, got 3"),
    ],
)
def test_files_that_cannot_be_written_are_refused(model, into, told):
    with pytest.raises(ValueError, match=told):
        model.sample(10, into=into)


def test_wrong_arguments_are_refused_at_once(model, tmp_path):
    with pytest.raises(ValueError, match="chunk must be"):
        model.iter_sample(10, chunk=0)
    with pytest.raises(ValueError, match="n_samples must be"):
        model.iter_sample(0)
    with pytest.raises(ValueError, match="resume must be"):
        model.sample(10, into=tmp_path / "rows.csv", resume="yes")
    with pytest.raises(ValueError, match="not a column"):
        model.iter_sample(10, conditions={"nothing": 1})


def test_keys_cannot_be_drawn_in_parts(table):
    model = tabgan.AutoregressiveSynthesizer(n_steps=2, constraints=[Unique("key")], random_state=0)
    model.fit(table)
    with pytest.raises(ValueError, match="rows with keys cannot be drawn in parts"):
        model.iter_sample(10)


def test_progress_is_shown_where_it_is_asked_for(model, tmp_path, capfd):
    model.sample(120, into=tmp_path / "rows.csv")
    assert not capfd.readouterr().err
    model.set_params(verbose=1)
    model.sample(120, into=tmp_path / "rows.csv")
    model.set_params(verbose=0)
    assert "120/120" in capfd.readouterr().err


@pytest.mark.parametrize("kind", ["polars", "pyarrow", "array"])
def test_all_kinds_of_tables_are_written(kind, tmp_path):
    frame = make_mixed_table(200, random_state=0)[["length", "price"]]
    if kind == "polars":
        X = pytest.importorskip("polars").DataFrame(frame.to_dict("list"))
    elif kind == "pyarrow":
        X = pytest.importorskip("pyarrow").Table.from_pandas(frame)
    else:
        X = frame.to_numpy()
    model = tabgan.GANSynthesizer(n_steps=1, random_state=0).fit(X)
    for name, read in (("rows.parquet", pd.read_parquet), ("rows.csv", pd.read_csv)):
        rows = read(model.sample(120, random_state=0, into=tmp_path / name))
        assert rows.shape == (120, 2)
        assert list(rows) == (["0", "1"] if kind == "array" else ["length", "price"])


def test_rows_in_parts_have_the_rates_of_the_model(table):
    """Two estimates of one rate from 4,000 rows each, in one part and in many.

    A rate of independent rows has a standard deviation of at most .008 here. Their difference
    passes .06 by chance once in 10**7 trials.
    """
    model = tabgan.AutoregressiveSynthesizer(n_steps=20, random_state=seed(0)).fit(
        table.drop(columns="key")
    )
    whole = model.sample(4_000, random_state=seed(1))
    parts = pd.concat(list(model.iter_sample(4_000, random_state=seed(2), chunk=333)))
    for name in ("colour", "size", "channel"):
        rates = [rows[name].value_counts(normalize=True) for rows in (whole, parts)]
        assert rates[0].sub(rates[1], fill_value=0.0).abs().max() < 0.06


def test_the_command_line_writes_many_rows_in_parts(model, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("tabgan.cli.commands.MANY_ROWS", 100)
    saved, out = tmp_path / "model.tabgan", tmp_path / "rows.parquet"
    model.save(saved)
    written = []
    monkeypatch.setattr(RowFile, "write", _noting(written))
    arguments = ["sample", str(saved), "--rows", "120", "--seed", "1", "--out", str(out)]
    main(arguments)
    assert sorted(written) == [0, 1, 2] and len(pd.read_parquet(out)) == 120
    assert "120/120" in capfd.readouterr().err
    main([*arguments, "--resume", "--quiet"])
    assert not capfd.readouterr().err
