"""What a history says of earlier runs: which commits still stand, and when an identity must be another one."""

from __future__ import annotations

from spark_models.sink.delta_log import Commit, History, _stamp
from spark_models.sink.target import Target, reference


def ours(version: int, identity: str = "a", operation: str = "WRITE") -> Commit:
    return Commit(version, operation, stamp={"identity": identity, "run_id": f"r{version}", "stream": "s"})


def other(version: int, operation: str = "WRITE") -> Commit:
    return Commit(version, operation)


def restore(version: int, back: int) -> Commit:
    return Commit(version, "RESTORE", {"version": str(back), "timestamp": "null"})


def test_a_commit_is_found_by_its_identity() -> None:
    known = History([ours(0, "b"), ours(1), other(2)])
    assert known.of("a") == ours(1)
    assert known.of("c") is None
    assert known.by("r0") == ours(0, "b")


def test_a_commit_that_was_rolled_back_does_not_count() -> None:
    known = History([other(0), ours(1), restore(2, 0)])
    assert known.of("a") is None
    assert known.newest_of("s") is None
    assert known.by("r1") == ours(1)
    again = History([*known.commits, restore(3, 1)])
    # Back to a version that held the rows: they are there again.
    assert again.of("a") == ours(1)


def test_a_restore_to_a_later_version_keeps_it() -> None:
    assert History([ours(0), other(1), restore(2, 0)]).of("a") == ours(0)


def test_a_restore_to_a_time_is_one_to_the_version_of_that_time() -> None:
    first, second = Commit(0, "WRITE", time=10), Commit(1, "WRITE", stamp={"identity": "a"}, time=20)
    for back, found in [(9, None), (19, None), (20, second), (25, second)]:
        known = History([first, second, Commit(2, "RESTORE", {"version": "null"}, time=30, back=back)])
        assert known.of("a") == found
    assert History([second, Commit(2, "RESTORE", {}, time=30)]).of("a") is None


def test_maintenance_leaves_rows_as_they_are_and_others_writes_do_not() -> None:
    assert History([ours(0), other(1, "OPTIMIZE"), other(2, "VACUUM END")]).untouched_since(ours(0))
    for operation in ("WRITE", "MERGE", "DELETE", "UPDATE", "RESTORE", "STREAMING UPDATE"):
        assert not History([ours(0), other(1, operation)]).untouched_since(ours(0))


def test_an_identity_is_used_once_more_only_where_its_rows_are_gone() -> None:
    assert History([other(0)]).epoch("a", replaces=False) == 0
    assert History([ours(0), other(1)]).epoch("a", replaces=False) == 0
    assert History([ours(0), other(1)]).epoch("a", replaces=True) == 1
    assert History([other(0), ours(1), restore(2, 0)]).epoch("a", replaces=False) == 2
    assert History([ours(0), restore(1, 0), ours(2)]).epoch("a", replaces=False) == 0


def test_where_the_log_was_cleaned_a_replacing_write_is_made_for_sure() -> None:
    cleaned = History([other(12), other(13)])
    assert cleaned.epoch("a", replaces=True) == 12
    assert cleaned.epoch("a", replaces=False) == 0


def test_what_others_write_beside_their_commits_is_no_stamp_of_ours() -> None:
    for text in [None, "", "x", "[]", "1", '{"spark_models": 3}', '{"a": 1}', "[" * 100_000]:
        assert _stamp(text) == {}
    assert _stamp('{"spark_models": {"identity": "a"}}') == {"identity": "a"}


def test_names_are_quoted() -> None:
    assert reference("delta", "a.b c; DROP", None) == "`a`.`b c; DROP`"
    assert reference("delta", "`a.b`.c", None) == "`a.b`.`c`"
    assert reference("delta", "`a", None) == "```a`"
    assert reference("delta", None, "/a`b") == "delta.`/a``b`"


def test_a_target_shows_no_connection() -> None:
    target = Target("jdbc", "T", connection={"password": "s3cret"}, options={"token": "s3cret"})
    assert "s3cret" not in repr(target)
