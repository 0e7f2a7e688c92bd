"""Files that `save` writes: whole or not at all, and with the permissions that are expected."""

from __future__ import annotations

import io
import os
import pathlib
import signal
import stat
import subprocess
import sys
import threading

import contract
import pytest
from contract import says

import tabgan
from tabgan import paths
from tabgan.paths import replacing

posix = pytest.mark.skipif(os.name != "posix", reason="needs permissions and links of POSIX")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.tabgan"


@pytest.fixture(scope="module")
def model():
    return contract.fitted(tabgan.GANSynthesizer)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    "value", [None, 3, 3.5, True, b"model.tabgan", "", "a\0b", ["a"], io.BytesIO(), object()]
)
def test_what_is_no_path(value, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = f"path must be the path of a file, a string or a pathlib.Path, got {value!r}."
    for use in (model.save, tabgan.load, tabgan.read_card):
        with pytest.raises(TypeError) as raised:
            use(value)
        if not isinstance(value, io.BytesIO) and type(value) is not object:
            assert str(raised.value) == told
    assert not list(tmp_path.iterdir())


def test_open_files_are_no_paths(model, path):
    with path.open("wb") as file, pytest.raises(TypeError, match="path must be the path of a file"):
        model.save(file)
    assert path.read_bytes() == b""


def test_paths_of_any_class(model, tmp_path, monkeypatch):
    class Own:
        def __fspath__(self):
            return str(tmp_path / "c")

    monkeypatch.chdir(tmp_path)
    for path in ("a", pathlib.Path("b"), tmp_path / "x" / ".." / "d", Own()):
        (tmp_path / "x").mkdir(exist_ok=True)
        model.save(path)
        assert type(tabgan.load(path)) is tabgan.GANSynthesizer
    assert {each.name for each in tmp_path.iterdir()} == {"a", "b", "c", "d", "x"}


@posix
def test_devices_and_pipes_are_refused(model, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, pathlib.Path("/dev/null"), pathlib.Path("/dev/zero")):
        before = os.lstat(path).st_mode
        told = f"{str(path)!r} could not be written (it is no regular file)."
        with pytest.raises(OSError, match=says(told)):
            model.save(path)
        assert os.lstat(path).st_mode == before
        with pytest.raises(FileNotFoundError, match="which is not a file"):
            tabgan.load(path)


@posix
def test_links_are_followed(model, tmp_path):
    (tmp_path / "far").mkdir()
    target, link, second = tmp_path / "far" / "real", tmp_path / "link", tmp_path / "second"
    target.write_text("old")
    link.symlink_to(pathlib.Path("far") / "real")
    second.symlink_to("link")
    model.save(second)
    assert second.is_symlink() and link.is_symlink() and not target.is_symlink()
    assert type(tabgan.load(target)) is type(tabgan.load(second)) is tabgan.GANSynthesizer
    assert [each.name for each in target.parent.iterdir()] == ["real"]


@posix
def test_links_to_nothing_and_in_circles(model, tmp_path):
    link = tmp_path / "link"
    link.symlink_to("later")
    model.save(link)
    assert (tmp_path / "later").is_file() and link.is_symlink()
    for one, other in (("x", "y"), ("y", "x")):
        (tmp_path / one).symlink_to(other)
    with pytest.raises(OSError, match="could not be written"):
        model.save(tmp_path / "x")
    assert (tmp_path / "x").is_symlink()


@posix
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_new_files_have_the_permissions_of_the_umask(model, path, umask):
    before = os.umask(umask)
    try:
        model.save(path)
    finally:
        os.umask(before)
    assert mode(path) == 0o666 & ~umask


@posix
@pytest.mark.parametrize("permissions", [0o600, 0o640, 0o666, 0o755])
def test_replaced_files_keep_their_permissions(model, path, permissions):
    path.write_text("old")
    path.chmod(permissions)
    owner = path.stat().st_uid, path.stat().st_gid
    model.save(path)
    assert mode(path) == permissions
    assert (path.stat().st_uid, path.stat().st_gid) == owner


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write anywhere")
def test_files_that_must_not_be_written(model, path):
    path.write_text("old")
    path.chmod(0o444)
    with pytest.raises(OSError, match="could not be written"):
        model.save(path)
    assert path.read_text() == "old"


def test_names_of_any_length(model, tmp_path):
    path = tmp_path / ("ü" * 120)
    model.save(path)
    assert type(tabgan.load(path)) is tabgan.GANSynthesizer
    with pytest.raises(OSError, match="could not be written"):
        model.save(tmp_path / ("x" * 300))


def test_an_error_leaves_the_old_file(path):
    path.write_text("old")
    with pytest.raises(RuntimeError, match="half-way"), replacing(path) as unfinished:
        unfinished.write_text("new")
        raise RuntimeError("half-way")
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


@posix
def test_a_full_disk_leaves_the_old_file(path):
    """The limit on the size of a file stands for a full disk."""
    path.write_text("old")
    program = (
        "import resource, signal, sys\n"
        "from tabgan.paths import replacing\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "with replacing(sys.argv[1]) as unfinished:\n"
        "    unfinished.write_bytes(bytes(5000))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True)
    assert done.returncode == 1 and b"OSError" in done.stderr
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


@posix
def test_what_a_killed_save_left_is_removed_by_the_next(path):
    program = (
        "import sys, time\n"
        "from tabgan.paths import replacing\n"
        "with replacing(sys.argv[1]) as unfinished:\n"
        "    unfinished.write_text('half')\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
    )
    path.write_text("old")
    others = [path.with_name(f".{path.name}.unfinished"), path.with_name(f"{path.name}.parts")]
    for other in others:
        other.write_text("another's")
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"ready\n"
        (unfinished,) = path.parent.glob(f".{path.name}.*?.unfinished")
        # While the other process lives, its file is its own.
        with replacing(path) as mine:
            mine.write_text("new")
        assert unfinished.read_text() == "half"
        writer.send_signal(signal.SIGKILL)
    assert unfinished.exists()
    with replacing(path) as mine:
        mine.write_text("newer")
    assert not unfinished.exists()
    assert path.read_text() == "newer"
    assert all(other.exists() for other in others[1:])


@posix
def test_where_files_cannot_be_locked_age_decides(path, monkeypatch):
    monkeypatch.setattr(paths, "fcntl", None)
    young, old = (path.with_name(f".{path.name}.{name}.unfinished") for name in ("a", "b"))
    young.write_text("")
    old.write_text("")
    os.utime(old, (0, 0))
    with replacing(path) as mine:
        mine.write_text("new")
    assert young.exists() and not old.exists() and path.read_text() == "new"


def test_two_writers_leave_one_whole_file(path):
    def write(text):
        for _ in range(40):
            with replacing(path) as unfinished:
                unfinished.write_text(text * 1000)

    writers = [threading.Thread(target=write, args=(text,)) for text in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert path.read_text() in [text * 1000 for text in "abc"]
    assert list(path.parent.iterdir()) == [path]
