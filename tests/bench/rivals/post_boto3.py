"""Posts batches with boto3, and prints what each batch took: what `hubbub-bench post` does, with the same work as JSON
in its argument.

A pool of threads shares one client, as boto3's documentation recommends. The client has a connection for each thread.
"""

import json
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import botocore.config
import botocore.exceptions

work = json.loads(sys.argv[1])
client = boto3.client(
    "apigatewaymanagementapi",
    endpoint_url=work["url"],
    verify=work["ca"],
    config=botocore.config.Config(max_pool_connections=work["concurrency"]),
)
body = b"x" * work["body_bytes"]


def fails(number: int) -> bool:
    try:
        client.post_to_connection(ConnectionId=f"c-{number}", Data=body)
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        print(f"post_boto3.py: a post has failed: {error}", file=sys.stderr)
        return True
    return False


# Of all threads of the process, in seconds.
start = before = time.process_time()
cpu_us_per_post = []
failed = 0
with ThreadPoolExecutor(work["concurrency"]) as pool:
    for _ in range(work["batches"]):
        failed += sum(pool.map(fails, range(work["batch_posts"])))
        now = time.process_time()
        cpu_us_per_post.append((now - before) * 1e6 / work["batch_posts"])
        before = now
peak_kib = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
print(
    json.dumps(
        {
            "start_cpu_ms": start * 1e3,
            "cpu_us_per_post": cpu_us_per_post,
            "failed": failed,
            "peak_mib": int(peak_kib[1]) / 1024 if peak_kib else None,
        }
    )
)
