"""Lambda functions, what may invoke them, and what feeds them."""

from __future__ import annotations

from ..aws import Aws
from ..values import Archive
from .handler import LEAF, UNREAD_TAGS, Given, Outputs, handles, present, upper


@handles(
    "aws:lambda:Function",
    applied={
        "name": LEAF,
        "runtime": LEAF,
        "handler": LEAF,
        "architectures": LEAF,
        "code": LEAF,
        "role": LEAF,
        "memorySize": LEAF,
        "timeout": LEAF,
        "environment": {"variables": LEAF},
        "description": LEAF,
        "packageType": LEAF,
        "reservedConcurrentExecutions": LEAF,
        "loggingConfig": {"logFormat": LEAF, "logGroup": LEAF, "applicationLogLevel": LEAF, "systemLogLevel": LEAF},
        "tracingConfig": {"mode": LEAF},
    },
    ignored={
        **UNREAD_TAGS,
        "publish": "the local stack invokes no versions",
        "sourceCodeHash": "it announces an update, and the local stack never updates",
    },
    outputs=("id", "arn", "invokeArn", "qualifiedArn", "version"),
)
def create_function(aws: Aws, given: Given) -> Outputs:
    """Creates a function from its zip."""
    functions = aws("lambda")
    name = given.need("name")
    code = given.need("code")
    if not isinstance(code, Archive):
        raise given.wrong("code", "it must be an `fn::fileArchive`")
    function = functions.create_function(
        FunctionName=name,
        Runtime=given.need("runtime"),
        Handler=given.need("handler"),
        Role=given.need("role"),
        Code={"ZipFile": code.path.read_bytes()},
        **present(
            Architectures=given.get("architectures"),
            MemorySize=given.get("memorySize"),
            Timeout=given.get("timeout"),
            Environment=_environment(aws, given),
            Description=given.get("description"),
            PackageType=given.get("packageType"),
            LoggingConfig=upper(given.get("loggingConfig")),
            TracingConfig=upper(given.get("tracingConfig")),
        ),
    )
    # Pulumi's -1 means that nothing is reserved.
    reserved = given.get("reservedConcurrentExecutions", -1)
    if reserved >= 0:
        functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)
    arn = function["FunctionArn"]
    return {
        "id": name,
        "arn": arn,
        "invokeArn": f"arn:aws:apigateway:{aws.region}:lambda:path/2015-03-31/functions/{arn}/invocations",
        "qualifiedArn": f"{arn}:$LATEST",
        "version": function["Version"],
    }


def _environment(aws: Aws, given: Given) -> dict[str, dict[str, str]] | None:
    """The environment for the API: the variables' own names stay as they are, and addresses at the emulator become
    addresses at the endpoint that functions are to call."""
    environment = given.get("environment")
    if environment is None:
        return None
    variables = environment.get("variables", {})
    return {"Variables": {name: _for_functions(aws, value) for name, value in variables.items()}}


def _for_functions(aws: Aws, value: str) -> str:
    if value == aws.endpoint or value.startswith(f"{aws.endpoint}/"):
        return aws.functions_endpoint + value.removeprefix(aws.endpoint)
    return value


@handles(
    "aws:lambda:Permission",
    applied={
        "action": LEAF,
        "function": LEAF,
        "principal": LEAF,
        "sourceArn": LEAF,
        "sourceAccount": LEAF,
        "statementId": LEAF,
    },
    outputs=("id",),
)
def add_permission(aws: Aws, given: Given) -> Outputs:
    """Lets a service invoke a function. The emulator records it; it lets everyone."""
    statement = given.get("statementId", given.name)
    aws("lambda").add_permission(
        FunctionName=given.need("function"),
        StatementId=statement,
        Action=given.need("action"),
        Principal=given.need("principal"),
        **present(SourceArn=given.get("sourceArn"), SourceAccount=given.get("sourceAccount")),
    )
    return {"id": statement, "statementId": statement}


@handles(
    "aws:lambda:EventSourceMapping",
    applied={
        "eventSourceArn": LEAF,
        "functionName": LEAF,
        "batchSize": LEAF,
        "maximumBatchingWindowInSeconds": LEAF,
        "functionResponseTypes": LEAF,
        "scalingConfig": {"maximumConcurrency": LEAF},
        "enabled": LEAF,
    },
    ignored=UNREAD_TAGS,
    outputs=("id", "arn", "uuid", "functionArn"),
)
def create_event_source_mapping(aws: Aws, given: Given) -> Outputs:
    """Feeds a function from a queue."""
    mapping = aws("lambda").create_event_source_mapping(
        EventSourceArn=given.need("eventSourceArn"),
        FunctionName=given.need("functionName"),
        **present(
            BatchSize=given.get("batchSize"),
            MaximumBatchingWindowInSeconds=given.get("maximumBatchingWindowInSeconds"),
            FunctionResponseTypes=given.get("functionResponseTypes"),
            ScalingConfig=upper(given.get("scalingConfig")),
            Enabled=given.get("enabled"),
        ),
    )
    return {
        "id": mapping["UUID"],
        "uuid": mapping["UUID"],
        "arn": mapping.get("EventSourceMappingArn", ""),
        "functionArn": mapping["FunctionArn"],
    }
