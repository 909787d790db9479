"""The senders that the posting section compares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .bench import Bench
from .errors import BenchError
from .figures import KIB
from .gateway import Gateway
from .places import RIVALS
from .processes import clean_environment, last_json, run
from .tools import LeftOut, install_sdk_for_javascript, node, python, wrk

BODY_BYTES = KIB
POSTS = 20_000
# With --quick, for those that take a millisecond or so for each post.
QUICK_SLOW_POSTS = 1_500

_OURS_CONCURRENCY = 128
_NODE_SOCKETS = 50
_BOTO3_THREADS = 32
_WRK_CONNECTIONS = 128
_WRK_SECONDS = 3
_TIMEOUT_SECONDS = 300


@dataclass(frozen=True)
class Outcome:
    """What a sender did and took, its start included."""

    posts: int
    failed: int
    posts_per_second: float
    cpu_us_per_post: float
    peak_mib: float
    # The last line that it has said on stderr, where posts have failed.
    complaint: str


@dataclass(frozen=True)
class Sender:
    """A sender: what it is, whether it is slow, and the command that has it post so often to a gateway."""

    what: str
    is_slow: bool
    command: Callable[[Gateway, int], list[str | Path]]
    environment: dict[str, str]
    # wrk posts for a while and not so often; its count says nothing, and a start by itself can't be measured.
    is_counted: bool = True

    def posts(self, quick: bool) -> int:
        """How often it posts in a round."""
        return QUICK_SLOW_POSTS if quick and self.is_slow else POSTS

    def run(self, to: Gateway, posts: int) -> Outcome:
        """Has it post so often.

        Raises:
            BenchError: it fails, or posts fewer than it should.
        """
        done = run(
            self.command(to, posts), timeout_seconds=_TIMEOUT_SECONDS, environment=clean_environment(**self.environment)
        )
        said = last_json(done, "posts", "failed", "seconds")
        made, failed = int(said["posts"]), int(said["failed"])
        if made < 1 or (self.is_counted and made != posts):
            raise BenchError(f"{made} posts were made, where {posts} were asked for")
        return Outcome(
            posts=made,
            failed=failed,
            posts_per_second=made / float(said["seconds"]),
            cpu_us_per_post=done.cpu_seconds * 1e6 / made,
            peak_mib=done.peak_mib,
            complaint=(done.stderr.strip().splitlines() or ["nothing"])[-1] if failed else "",
        )


def make_senders(bench: Bench) -> tuple[dict[str, Sender], dict[str, str]]:
    """The senders, and why some are left out."""
    post = bench.binaries.path("post")
    senders = {
        "hubbub": Sender(
            f"Hubbub's own sender, {_OURS_CONCURRENCY} posts at once",
            False,
            lambda to, posts: [post, "--poster", "fast", *_arguments(to, posts, _OURS_CONCURRENCY)],
            {},
        ),
        "aws-sdk-rust": Sender(
            f"the AWS SDK for Rust, {_OURS_CONCURRENCY} posts at once",
            False,
            lambda to, posts: [post, "--poster", "sdk", *_arguments(to, posts, _OURS_CONCURRENCY)],
            {},
        ),
    }
    left_out = {}
    makers = {"javascript": _javascript_senders, "boto3": _boto3_senders, "wrk": _wrk_senders}
    for tool, make in makers.items():
        try:
            senders.update(make())
        except LeftOut as reason:
            left_out[tool] = str(reason)
            bench.console.note(f"posting: {tool} is left out: {reason}")
        except BenchError as error:
            bench.fail(tool, str(error))
    return senders, left_out


def _javascript_senders() -> dict[str, Sender]:
    install_sdk_for_javascript()
    start: list[str | Path] = [node(), RIVALS / "post.mjs"]
    return {
        "js-50": Sender(
            f"the AWS SDK for JavaScript on Node, {_NODE_SOCKETS} senders on {_NODE_SOCKETS} sockets",
            True,
            lambda to, posts: [*start, *_arguments(to, posts, _NODE_SOCKETS)],
            {},
        ),
        "js-all": Sender(
            f"the same, with all posts in one `Promise.all`, on the SDK's usual {_NODE_SOCKETS} sockets",
            True,
            lambda to, posts: [*start, "--promise-all", *_arguments(to, posts, _NODE_SOCKETS)],
            {},
        ),
    }


def _boto3_senders() -> dict[str, Sender]:
    return {
        "boto3": Sender(
            f"boto3, {_BOTO3_THREADS} threads on as many connections",
            True,
            lambda to, posts: [python(), RIVALS / "post_boto3.py", *_arguments(to, posts, _BOTO3_THREADS)],
            {},
        )
    }


def _wrk_senders() -> dict[str, Sender]:
    tool = wrk()
    start: list[str | Path] = [
        tool.binary,
        "-t1",
        f"-c{_WRK_CONNECTIONS}",
        f"-d{_WRK_SECONDS}s",
        "-s",
        RIVALS / "post.lua",
    ]
    return {
        "wrk": Sender(
            f"wrk, one thread and {_WRK_CONNECTIONS} connections for {_WRK_SECONDS} s; it signs nothing and checks no "
            "certificate",
            False,
            lambda to, _posts: [*start, to.url, "--", str(BODY_BYTES)],
            tool.environment,
            is_counted=False,
        )
    }


def _arguments(to: Gateway, posts: int, concurrency: int) -> list[str | Path]:
    """The arguments that all senders but wrk take."""
    return [
        *("--url", to.url),
        *("--count", str(posts)),
        *("--bytes", str(BODY_BYTES)),
        *("--concurrency", str(concurrency)),
        *(("--ca", to.ca) if to.ca else ()),
    ]
