from __future__ import annotations

import resource
from pathlib import Path

from fanout.machine import (
    allow_descriptors,
    cpu_limit,
    cpu_model,
    memory_limit,
    oom_kills,
    share_of_memory,
    small_pipes,
)


def machine(root: Path, **files: str) -> Path:
    """A root directory with files; two underscores in a name part directories."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("memory_", "memory.")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def pages(root: Path, soft: str) -> None:
    """How many pages a user's pipes may have before they are made small."""
    limit = root / "proc/sys/fs/pipe-user-pages-soft"
    limit.parent.mkdir(parents=True, exist_ok=True)
    limit.write_text(soft)


def test_the_limit_of_a_group_of_version_2_is_seen(tmp_path: Path) -> None:
    root = machine(tmp_path, proc__self__cgroup="0::/batch\n", sys__fs__cgroup__batch__memory_max="1073741824\n")

    assert memory_limit(root) == 2**30


def test_each_worker_has_a_share_of_the_memory_and_the_parent_one(tmp_path: Path) -> None:
    root = machine(tmp_path, proc__self__cgroup="0::/batch\n", sys__fs__cgroup__batch__memory_max="4000\n")

    assert share_of_memory(3, root) == 1000
    assert share_of_memory(3, tmp_path / "no machine") is None


def test_the_smallest_limit_on_the_way_up_counts(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        proc__self__cgroup="0::/a/b\n",
        sys__fs__cgroup__a__b__memory_max="max\n",
        sys__fs__cgroup__a__memory_max="2000\n",
        sys__fs__cgroup__memory_max="3000\n",
    )

    assert memory_limit(root) == 2000


def test_a_container_that_sees_only_the_top_of_its_groups_has_the_limit_found_there(tmp_path: Path) -> None:
    root = machine(tmp_path, proc__self__cgroup="0::/docker/0815\n", sys__fs__cgroup__memory_max="4096\n")

    assert memory_limit(root) == 4096


def test_the_limit_of_a_group_of_version_1_is_seen(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        proc__self__cgroup="5:cpu,cpuacct:/\n4:memory:/batch\n0::/\n",
        sys__fs__cgroup__memory__batch__memory_limit_in_bytes="5000\n",
        sys__fs__cgroup__memory__memory_limit_in_bytes="9223372036854771712\n",
    )

    assert memory_limit(root) == 5000


def test_version_1_without_a_limit_has_none(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        proc__self__cgroup="4:memory:/\n",
        sys__fs__cgroup__memory__memory_limit_in_bytes="9223372036854771712\n",
    )

    assert memory_limit(root) is None


def test_a_machine_without_control_groups_has_no_limit_and_tells_nothing(tmp_path: Path) -> None:
    assert (memory_limit(tmp_path), oom_kills(tmp_path)) == (None, 0)


def test_this_machine_can_be_asked() -> None:
    limit = memory_limit()

    assert limit is None or limit > 0
    assert oom_kills() >= 0


def test_kills_for_want_of_memory_are_those_of_the_group(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        proc__self__cgroup="0::/batch\n",
        sys__fs__cgroup__batch__memory_events="low 0\nhigh 0\nmax 7\noom 2\noom_kill 3\noom_group_kill 0\n",
        proc__vmstat="oom_kill 99\n",
    )

    assert oom_kills(root) == 3


def test_kills_are_told_by_version_1_and_else_by_the_whole_machine(tmp_path: Path) -> None:
    machine(tmp_path, proc__self__cgroup="4:memory:/\n", proc__vmstat="pgfault 12\noom_kill 9\n")
    of_the_machine = oom_kills(tmp_path)
    machine(tmp_path, sys__fs__cgroup__memory__memory_oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 4\n")

    assert (of_the_machine, oom_kills(tmp_path)) == (9, 4)


def test_pipes_that_will_be_small_are_told_of_before_they_are_made(tmp_path: Path) -> None:
    pages(tmp_path, "16384\n")

    assert small_pipes(341, tmp_path) == ""
    assert small_pipes(400, tmp_path) == (
        "400 workers have 1,200 pipes, of which 1,024 may be whole (fs.pipe-user-pages-soft): "
        "the others hold 8 KiB instead of 64, so large answers take longer"
    )


def test_a_kernel_that_makes_no_pipe_small_has_nothing_to_tell_of(tmp_path: Path) -> None:
    untold = small_pipes(4000, tmp_path)
    pages(tmp_path, "0\n")

    assert (untold, small_pipes(4000, tmp_path)) == ("", "")


def test_more_descriptors_are_allowed_when_they_are_wanted_and_never_fewer() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
        limits = []
        for wanted in (200, 310, 300):
            allow_descriptors(wanted)
            limits.append(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert limits == [300, 310, 310]


def test_the_time_that_a_group_of_version_2_allows_is_seen_and_the_least_on_the_way_up_counts(tmp_path: Path) -> None:
    root = machine(tmp_path, proc__self__cgroup="0::/a/b\n")
    for group, text in {"a/b": "max 100000\n", "a": "150000 100000\n", ".": "400000 100000\n"}.items():
        (tmp_path / "sys/fs/cgroup" / group).mkdir(parents=True, exist_ok=True)
        (tmp_path / "sys/fs/cgroup" / group / "cpu.max").write_text(text)

    assert cpu_limit(root) == 1.5
    assert cpu_limit(tmp_path / "no machine") is None


def test_the_time_that_a_group_of_version_1_allows_is_seen(tmp_path: Path) -> None:
    root = machine(tmp_path, proc__self__cgroup="5:cpu,cpuacct:/batch\n0::/\n")
    group = tmp_path / "sys/fs/cgroup/cpu,cpuacct/batch"
    group.mkdir(parents=True)
    (group.parent / "cpu.cfs_quota_us").write_text("-1\n")
    (group.parent / "cpu.cfs_period_us").write_text("100000\n")
    (group / "cpu.cfs_quota_us").write_text("50000\n")
    (group / "cpu.cfs_period_us").write_text("100000\n")

    assert cpu_limit(root) == 0.5


def test_the_processor_says_what_it_is(tmp_path: Path) -> None:
    root = machine(tmp_path, proc__cpuinfo="processor\t: 0\nmodel name\t: Some Chip 9: fast\n")

    assert cpu_model(root) == "Some Chip 9: fast"
    assert cpu_model(tmp_path / "no machine") == "unknown CPU"
