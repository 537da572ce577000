"""The parent's memory as the roster grows. `python -m benchmarks.memory`

The peak of the parent's resident memory (`ru_maxrss`) for null mailboxes and a function that returns an int, merged in
memory and through a run file.
"""

from __future__ import annotations

import click

from benchmarks.engine import checked, in_memory, through_run_file
from benchmarks.measure import cost, machine
from fanout import Recording


@click.command()
@click.option("--small", default=10_000, show_default=True, help="Mailboxes of the roster that is compared with.")
@click.option("--large", default=10_000_000, show_default=True)
@click.option("--chunk-size", default=250, show_default=True)
def main(small: int, large: int, chunk_size: int) -> None:
    """Compare the parent's peak for a small and a large roster."""
    print(f"{machine()}\n\n| | parent's peak, MiB, {small:,} | {large:,} | more | CPU, s, {large:,} |")
    print("| --- | --- | --- | --- | --- |")
    for name, work, more in (
        ("memory", in_memory, (Recording.RESULTS,)),
        ("memory, records", in_memory, (Recording.RECORDS,)),
        ("run file", through_run_file, ()),
    ):
        few, many = (cost(checked(work, count, chunk_size, *more)) for count in (small, large))
        print(
            f"| {name} | {few.peak:.0f} | {many.peak:.0f} | {many.peak - few.peak:.1f} | {many.cpu:.1f} |", flush=True
        )


if __name__ == "__main__":
    main()
