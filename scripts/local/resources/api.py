"""The WebSocket API: its authorizer, integrations, routes, deployment and stage."""

from __future__ import annotations

from typing import Any

from ..aws import Aws
from .handler import LEAF, UNREAD_TAGS, Given, Outputs, handles, present, upper


@handles(
    "aws:apigatewayv2:Api",
    applied={"name": LEAF, "protocolType": LEAF, "routeSelectionExpression": LEAF, "description": LEAF},
    ignored=UNREAD_TAGS,
    outputs=("id", "arn", "apiEndpoint", "executionArn"),
)
def create_api(aws: Aws, given: Given) -> Outputs:
    """Creates an API without routes."""
    api = aws("apigatewayv2").create_api(
        Name=given.need("name"),
        ProtocolType=given.need("protocolType"),
        **present(
            RouteSelectionExpression=given.get("routeSelectionExpression"),
            Description=given.get("description"),
        ),
    )
    identifier = api["ApiId"]
    return {
        "id": identifier,
        "arn": f"arn:aws:apigateway:{aws.region}::/apis/{identifier}",
        "apiEndpoint": api["ApiEndpoint"],
        "executionArn": execution_arn(aws, identifier),
    }


def execution_arn(aws: Aws, api: str) -> str:
    """The ARN by which policies name what is called in an API."""
    account = aws("sts").get_caller_identity()["Account"]
    return f"arn:aws:execute-api:{aws.region}:{account}:{api}"


@handles(
    "aws:apigatewayv2:Authorizer",
    applied={
        "apiId": LEAF,
        "name": LEAF,
        "authorizerType": LEAF,
        "authorizerUri": LEAF,
        "identitySources": LEAF,
        "authorizerCredentialsArn": LEAF,
    },
    ignored={
        "authorizerResultTtlInSeconds": "a WebSocket API caches no authorizer's answer",
    },
    outputs=("id",),
)
def create_authorizer(aws: Aws, given: Given) -> Outputs:
    """Creates an authorizer.

    Where the program names no identity sources the list must be given as empty: the emulator's default is the
    `Authorization` header, and it would refuse a token in the query before the authorizer sees it.
    """
    authorizer = aws("apigatewayv2").create_authorizer(
        ApiId=given.need("apiId"),
        Name=given.need("name"),
        AuthorizerType=given.need("authorizerType"),
        AuthorizerUri=given.need("authorizerUri"),
        IdentitySource=given.get("identitySources", []),
        **present(AuthorizerCredentialsArn=given.get("authorizerCredentialsArn")),
    )
    return {"id": authorizer["AuthorizerId"]}


@handles(
    "aws:apigatewayv2:Integration",
    applied={
        "apiId": LEAF,
        "integrationType": LEAF,
        "integrationMethod": LEAF,
        "integrationUri": LEAF,
        "connectionType": LEAF,
        "contentHandlingStrategy": LEAF,
        "credentialsArn": LEAF,
        "passthroughBehavior": LEAF,
        "timeoutMilliseconds": LEAF,
        "description": LEAF,
    },
    outputs=("id",),
)
def create_integration(aws: Aws, given: Given) -> Outputs:
    """Creates an integration."""
    integration = aws("apigatewayv2").create_integration(
        ApiId=given.need("apiId"),
        IntegrationType=given.need("integrationType"),
        **present(
            IntegrationMethod=given.get("integrationMethod"),
            IntegrationUri=given.get("integrationUri"),
            ConnectionType=given.get("connectionType"),
            ContentHandlingStrategy=given.get("contentHandlingStrategy"),
            CredentialsArn=given.get("credentialsArn"),
            PassthroughBehavior=given.get("passthroughBehavior"),
            TimeoutInMillis=given.get("timeoutMilliseconds"),
            Description=given.get("description"),
        ),
    )
    return {"id": integration["IntegrationId"]}


@handles(
    "aws:apigatewayv2:Route",
    applied={
        "apiId": LEAF,
        "routeKey": LEAF,
        "target": LEAF,
        "authorizationType": LEAF,
        "authorizerId": LEAF,
        "operationName": LEAF,
        "routeResponseSelectionExpression": LEAF,
    },
    outputs=("id",),
)
def create_route(aws: Aws, given: Given) -> Outputs:
    """Creates a route."""
    route = aws("apigatewayv2").create_route(
        ApiId=given.need("apiId"),
        RouteKey=given.need("routeKey"),
        **present(
            Target=given.get("target"),
            AuthorizationType=given.get("authorizationType"),
            AuthorizerId=given.get("authorizerId"),
            OperationName=given.get("operationName"),
            RouteResponseSelectionExpression=given.get("routeResponseSelectionExpression"),
        ),
    )
    return {"id": route["RouteId"]}


@handles(
    "aws:apigatewayv2:RouteResponse",
    applied={"apiId": LEAF, "routeId": LEAF, "routeResponseKey": LEAF},
    outputs=("id",),
)
def create_route_response(aws: Aws, given: Given) -> Outputs:
    """Creates a route response."""
    response = aws("apigatewayv2").create_route_response(
        ApiId=given.need("apiId"),
        RouteId=given.need("routeId"),
        RouteResponseKey=given.need("routeResponseKey"),
    )
    return {"id": response["RouteResponseId"]}


@handles(
    "aws:apigatewayv2:Deployment",
    applied={"apiId": LEAF, "description": LEAF},
    ignored={"triggers": "they announce a redeployment, and the local stack never updates"},
    outputs=("id", "autoDeployed"),
)
def create_deployment(aws: Aws, given: Given) -> Outputs:
    """Creates a deployment."""
    deployment = aws("apigatewayv2").create_deployment(
        ApiId=given.need("apiId"), **present(Description=given.get("description"))
    )
    return {"id": deployment["DeploymentId"], "autoDeployed": False}


def _by_route(given: Given) -> dict[str, Any] | None:
    """A stage's settings by their routes, as the API has them; Pulumi has a list."""
    settings = given.get("routeSettings")
    if settings is None:
        return None
    return {
        setting["routeKey"]: upper({name: value for name, value in setting.items() if name != "routeKey"})
        for setting in settings
    }


@handles(
    "aws:apigatewayv2:Stage",
    applied={
        "apiId": LEAF,
        "name": LEAF,
        "deploymentId": LEAF,
        "autoDeploy": LEAF,
        "description": LEAF,
        "defaultRouteSettings": {
            "throttlingBurstLimit": LEAF,
            "throttlingRateLimit": LEAF,
            "detailedMetricsEnabled": LEAF,
            "dataTraceEnabled": LEAF,
            "loggingLevel": LEAF,
        },
        "routeSettings": LEAF,
        "stageVariables": LEAF,
    },
    ignored=UNREAD_TAGS,
    outputs=("id", "arn", "executionArn", "invokeUrl"),
)
def create_stage(aws: Aws, given: Given) -> Outputs:
    """Creates a stage. The emulator records the throttles; it doesn't throttle."""
    api, name = given.need("apiId"), given.need("name")
    settings = given.get("defaultRouteSettings")
    if settings and not {"throttlingBurstLimit", "throttlingRateLimit"} <= settings.keys():
        raise given.wrong("defaultRouteSettings", "without both throttles, Pulumi makes them 0 and every request fails")
    stages = aws("apigatewayv2")
    stages.create_stage(
        ApiId=api,
        StageName=name,
        **present(
            DeploymentId=given.get("deploymentId"),
            AutoDeploy=given.get("autoDeploy"),
            Description=given.get("description"),
            DefaultRouteSettings=upper(settings),
            RouteSettings=_by_route(given),
            StageVariables=given.get("stageVariables"),
        ),
    )
    endpoint = stages.get_api(ApiId=api)["ApiEndpoint"]
    return {
        "id": name,
        "arn": f"arn:aws:apigateway:{aws.region}::/apis/{api}/stages/{name}",
        "executionArn": f"{execution_arn(aws, api)}/{name}",
        "invokeUrl": f"{endpoint}/{name}",
    }
