"""Posts with boto3, once to each of the connections `c-0` to `c-(N-1)`, and ends with a line of JSON: how many posts
there were, how many failed, and how many seconds the posting took.

One client is shared by a pool of threads, which is what boto3's documentation recommends, and its pool of connections
is as large as the pool of threads.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
import botocore.config
import botocore.exceptions


def main() -> None:
    """Posts as the arguments say."""
    arguments = _parser().parse_args()
    client = boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=arguments.url,
        verify=arguments.ca,
        config=botocore.config.Config(max_pool_connections=arguments.concurrency),
    )
    body = b"x" * arguments.bytes
    failures: set[str] = set()

    def post(number: int) -> bool:
        try:
            client.post_to_connection(ConnectionId=f"c-{number}", Data=body)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            failures.add(str(error))
            return False
        return True

    with ThreadPoolExecutor(arguments.concurrency) as pool:
        began = time.perf_counter()
        taken = sum(pool.map(post, range(arguments.count)))
        seconds = time.perf_counter() - began
    for failure in failures:
        print(f"post_boto3.py: a post has failed: {failure}", file=sys.stderr)
    print(json.dumps({"posts": arguments.count, "failed": arguments.count - taken, "seconds": seconds}))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Posts with boto3 from a pool of threads.")
    parser.add_argument("--url", required=True, help="the stage's URL")
    parser.add_argument(
        "--count", required=True, type=_whole_number, metavar="N", help="how many connections to post to"
    )
    parser.add_argument("--bytes", required=True, type=_whole_number, metavar="B", help="how large a body is")
    parser.add_argument("--concurrency", required=True, type=_whole_number, metavar="C", help="how many threads post")
    parser.add_argument("--ca", metavar="FILE.pem", help="the authority to trust in the place of the usual ones")
    return parser


def _whole_number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"`{text}` is not a whole number of at least 1")
    return int(text)


if __name__ == "__main__":
    main()
