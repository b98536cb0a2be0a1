"""The package cache: bounded, oldest out first, nothing that is in use, whole entries whatever happens to a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spark_models.errors import CacheFullError, InvalidArgumentError, UnsafeCacheError
from spark_models.package import manifest
from spark_models.package.manifest import copy_verified
from spark_models.store import cache
from spark_models.store.cache import LEFTOVER_SECONDS, entry, hold, parse_size, release

DAY_AGO = time.time() - LEFTOVER_SECONDS - 60


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache of 1,000 bytes; what the test holds there is let go at its end."""
    base = tmp_path / "cache"
    monkeypatch.setenv("SPARK_MODELS_CACHE", str(base))
    monkeypatch.setenv("SPARK_MODELS_CACHE_BYTES", "1000")
    yield base
    for held in [path for path in cache._held if path.startswith(str(base))]:
        release(Path(held))


def filled(size: int) -> Any:
    def fill(stage: Path) -> None:
        (stage / "folder").mkdir()
        (stage / "folder" / "file").write_bytes(b"x" * size)

    return fill


def not_filled(stage: Path) -> None:
    raise AssertionError("the entry is there")


def add(name: str, size: int, last_use: float | None = None) -> Path:
    """An entry that nobody holds, last used so many seconds ago."""
    path = entry(name, filled(size))
    release(path)
    if last_use is not None:
        used = time.time() - last_use
        os.utime(path.with_name(f".{name}.use.lock"), (used, used))
    return path


def names(base: Path) -> list[str]:
    return sorted(path.name for path in base.iterdir() if not path.name.startswith("."))


def hidden(base: Path) -> list[str]:
    return sorted(path.name for path in base.iterdir() if path.name.startswith("."))


# --- the bound


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1048576", 1048576),
        ("12b", 12),
        ("500MB", 500_000_000),
        ("2GiB", 2 * 1024**3),
        (" 1.5 kb ", 1500),
        ("3 tib", 3 * 1024**4),
        ("0.5KiB", 512),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text, "limit") == size


@pytest.mark.parametrize("text", ["", "lots", "-1", "1e9", "5 XB", "1,000", "GB", "٣", "inf", "1..5MB", "5MB 3"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(InvalidArgumentError):
        parse_size(text, "limit")


def test_a_bound_that_is_no_size_is_said_before_anything_is_written(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_MODELS_CACHE_BYTES", "20 gigs")
    with pytest.raises(InvalidArgumentError) as caught:
        entry("a", not_filled)
    assert str(caught.value) == (
        "[INVALID_ARGUMENT] SPARK_MODELS_CACHE_BYTES='20 gigs' is no size.\n"
        "Hint: write a number of bytes, or one with a unit: 500MB, 20GiB"
    )
    assert list(base.iterdir()) == []


def test_the_default_is_20_gib(monkeypatch: pytest.MonkeyPatch) -> None:
    for unset in ("", " "):
        monkeypatch.setenv("SPARK_MODELS_CACHE_BYTES", unset)
        assert cache.cache_limit() == 21_474_836_480


# --- eviction


def test_within_the_bound_nothing_goes(base: Path) -> None:
    for name in "abc":
        add(name, 333)
    assert names(base) == ["a", "b", "c"]


def test_the_least_recently_used_go_and_no_more_than_must(base: Path) -> None:
    add("a", 300, last_use=30)
    add("b", 300, last_use=50)
    add("c", 300, last_use=40)
    add("d", 500)
    assert names(base) == ["a", "d"]


def test_a_use_is_what_counts_not_the_age(base: Path) -> None:
    add("a", 400, last_use=50)
    add("b", 400, last_use=40)
    release(entry("a", not_filled))
    add("c", 400)
    assert names(base) == ["a", "c"]


def test_the_entry_that_is_added_stays_and_is_whole_even_if_it_is_too_large_alone(base: Path) -> None:
    add("a", 10, last_use=50)
    path = add("b", 5000)
    assert names(base) == ["b"]
    assert (path / "folder" / "file").stat().st_size == 5000


def test_any_kind_of_entry_counts(base: Path) -> None:
    add("env-1234", 900, last_use=50)
    add("b", 900)
    assert names(base) == ["b"]


def test_entries_of_a_version_without_use_locks_count_and_go(base: Path) -> None:
    add("a", 100)
    old = base / "old"
    old.mkdir()
    (old / "file").write_bytes(b"x" * 2000)
    os.utime(old, (DAY_AGO, DAY_AGO))
    add("b", 100)
    assert names(base) == ["a", "b"]


def test_an_entry_that_was_evicted_is_filled_again(base: Path) -> None:
    add("a", 900, last_use=50)
    add("b", 900, last_use=40)
    assert names(base) == ["b"]
    again = entry("a", filled(800))
    assert (again / "folder" / "file").stat().st_size == 800
    assert names(base) == ["a"]


def test_eviction_leaves_no_lock_files_of_what_has_gone(base: Path) -> None:
    add("a", 900, last_use=50)
    add("b", 900)
    assert hidden(base) == [".b.lock", ".b.use.lock", ".evict.lock"]


def test_what_this_process_holds_stays(base: Path) -> None:
    entry("a", filled(900))
    add("b", 900)
    assert names(base) == ["a", "b"]
    release(base / "a")
    add("c", 10)
    assert names(base) == ["b", "c"]


HOLDER = """
import sys
from pathlib import Path
from spark_models.store.cache import hold
assert hold(Path(sys.argv[1]))
print("holds", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(base: Path) -> Iterator[Any]:
    """holder(path): a process that uses an entry until it is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(path: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLDER, str(path)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "holds\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_what_another_process_uses_stays_until_that_has_died(base: Path, holder: Any) -> None:
    process = holder(add("a", 900, last_use=50))
    add("b", 900, last_use=40)
    assert names(base) == ["a", "b"]
    process.send_signal(signal.SIGKILL)
    process.wait()
    add("c", 10)
    assert names(base) == ["b", "c"] or names(base) == ["a", "c"]


def test_two_processes_hold_one_entry_and_both_must_have_gone(base: Path, holder: Any) -> None:
    path = add("a", 900, last_use=50)
    first, second = holder(path), holder(path)
    for process, kept in ((first, True), (second, False)):
        process.kill()
        process.wait()
        release(path)
        add(f"for-{process.pid}", 950, last_use=-60)
        assert ("a" in names(base)) is kept


def test_an_entry_that_somebody_removed_by_hand_is_filled_again(base: Path, holder: Any) -> None:
    """Another process may still hold its lock: nobody waits for that."""
    path = add("a", 10)
    holder(path)
    assert hold(path)
    os.rename(path, base.parent / "elsewhere")
    assert not hold(path)
    assert entry("a", filled(20)) == path
    assert (path / "folder" / "file").stat().st_size == 20


def test_an_absent_entry_is_not_held_and_leaves_no_lock(base: Path) -> None:
    base.mkdir()
    assert not hold(base / "a")
    assert list(base.iterdir()) == []


# --- fills that fail, and those that were killed


def test_a_fill_that_fails_leaves_no_entry_and_evicts_nothing(base: Path) -> None:
    add("a", 900)

    def fill(stage: Path) -> None:
        filled(900)(stage)
        raise RuntimeError("damaged")

    with pytest.raises(RuntimeError, match="damaged"):
        entry("b", fill)
    assert names(base) == ["a"]
    assert [name for name in hidden(base) if not name.endswith(".lock")] == []


def leftover(base: Path, name: str, modified: float) -> Path:
    path = base / name
    path.mkdir(parents=True)
    (path / "file").write_bytes(b"x")
    os.utime(path, (modified, modified))
    return path


def test_what_killed_fills_left_is_removed_after_a_day(base: Path) -> None:
    old = leftover(base, ".a.x1y2z3", DAY_AGO)
    young = leftover(base, ".a.abcdef", time.time() - 3600)
    foreign = leftover(base, ".git", DAY_AGO)
    base.chmod(0o700)
    add("b", 10)
    assert not old.exists()
    assert young.is_dir()
    assert foreign.is_dir()


def test_a_fill_that_takes_more_than_a_day_is_left_alone(base: Path) -> None:
    base.mkdir(mode=0o700)
    stage = leftover(base, ".a.x1y2z3", DAY_AGO)
    with cache._locked(base / ".a.lock"):
        add("b", 10)
        assert stage.is_dir()
    add("c", 10)
    assert not stage.exists()


FILLER = """
import os, sys, time
from pathlib import Path
from spark_models.store.cache import entry

def fill(stage):
    with open(sys.argv[1], "a") as stream:
        stream.write(f"{os.getpid()}\\n")
    time.sleep(0.2)
    (stage / "file").write_text("whole")

path = entry("a", fill)
print((path / "file").read_text())
"""


def test_one_of_many_processes_fills_an_entry_and_all_get_it_whole(base: Path, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    command = [sys.executable, "-c", FILLER, str(marks)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate(timeout=60)[0] for process in started] == ["whole\n"] * 4
    assert len(marks.read_text().splitlines()) == 1


CHURN = """
import os, random, sys
from pathlib import Path
from spark_models.store.cache import entry, release

numbers = random.Random(int(sys.argv[1]))
for _ in range(300):
    name = numbers.choice("abcdef")
    path = entry(name, lambda stage: (stage / "file").write_text(name * 400))
    assert (path / "file").read_text() == name * 400, name
    if numbers.random() < 0.8:
        release(path)
    assert len(os.listdir("/proc/self/fd")) < 40
"""


def test_processes_that_fill_use_and_evict_at_once_never_lose_what_they_use(base: Path) -> None:
    """Room for two entries, four processes, six names: everything is evicted over and over."""
    command = [sys.executable, "-c", CHURN]
    started = [subprocess.Popen([*command, str(seed)], stderr=subprocess.PIPE, text=True) for seed in range(4)]
    assert [(process.communicate(timeout=120)[1], process.returncode) for process in started] == [("", 0)] * 4
    add("last", 900)
    assert names(base) == ["last"]
    assert hidden(base) == [".evict.lock", ".last.lock", ".last.use.lock"]


# --- the disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", str(path)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may not mount a small file system")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def test_a_full_disk_is_said_and_nothing_stays(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_MODELS_CACHE", str(small_disk))
    package = tmp_path / "package"
    package.mkdir()
    (package / "weights.bin").write_bytes(b"x" * 5_000_000)
    with pytest.raises(CacheFullError) as caught:
        entry("a", lambda stage: copy_verified(package, stage) and None)
    assert str(caught.value) == (
        "[CACHE_FULL] The package cache can't take another package: No space left on device.\n"
        f"Where: {small_disk}\n"
        "Hint: free space there, or set SPARK_MODELS_CACHE to a directory of your own on a larger disk"
    )
    assert isinstance(caught.value, OSError)
    assert [path.name for path in small_disk.iterdir()] == [".a.lock"]
    assert entry("b", filled(1_000_000)).is_dir()
    release(small_disk / "b")


def test_a_disk_that_takes_a_part_of_the_last_write_makes_no_short_copy(small_disk: Path, tmp_path: Path) -> None:
    """The system reports no error of such a write, only how much of it was written."""
    (small_disk / "other").write_bytes(b"x" * 300_000)
    (tmp_path / "weights.bin").write_bytes(b"x" * 1_900_000)
    with pytest.raises(OSError, match="No space left"):
        manifest._copy(tmp_path / "weights.bin", small_disk / "weights.bin")


def test_an_entry_of_a_disk_that_may_only_be_read_is_used_without_a_lock(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_MODELS_CACHE", str(small_disk))
    path = add("a", 10)
    path.with_name(".a.use.lock").unlink()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert hold(path)
    assert entry("a", not_filled) == path
    assert str(path) not in cache._held


def test_a_cache_that_is_not_private_is_refused(base: Path) -> None:
    base.mkdir(mode=0o777)
    base.chmod(0o777)
    with pytest.raises(UnsafeCacheError, match="others may write to it"):
        entry("a", not_filled)


def test_the_cache_is_absolute_whatever_the_variable_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of a local session may run in another directory than the driver now does."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPARK_MODELS_CACHE", "here")
    assert cache.cache_root() == tmp_path / "here"
