"""The smallest function that Lambda's Runtime API can drive: asks for an invocation, answers it, and asks again. AWS's
own Python runtime loads more than this before it asks."""

import http.client
import os

runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])


def call(method: str, path: str, body: str | None = None) -> http.client.HTTPResponse:
    """Calls the Runtime API and reads its answer."""
    runtime.request(method, f"/2018-06-01/runtime/{path}", body)
    answer = runtime.getresponse()
    answer.read()
    return answer


while True:
    invocation = call("GET", "invocation/next")
    call("POST", f"invocation/{invocation.headers['Lambda-Runtime-Aws-Request-Id']}/response", '"hello"')
