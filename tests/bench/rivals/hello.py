"""The smallest function that Lambda's Runtime API can drive. With `--client`, it makes one client of boto3 before it
asks for its first invocation, as a function that posts to sockets does."""

import http.client
import os
import sys

if "--client" in sys.argv:
    import boto3

    boto3.client("apigatewaymanagementapi", endpoint_url=os.environ["HUBBUB_CALLBACK_URL"])

runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])


def call(method: str, path: str, body: str | None = None) -> http.client.HTTPResponse:
    runtime.request(method, f"/2018-06-01/runtime/{path}", body)
    answer = runtime.getresponse()
    answer.read()
    return answer


while True:
    invocation = call("GET", "invocation/next")
    call("POST", f"invocation/{invocation.headers['Lambda-Runtime-Aws-Request-Id']}/response", '"hello"')
