"""CloudWatch alarms and dashboards. The emulator keeps them; nothing feeds the metrics of functions' logs into it."""

from __future__ import annotations

from typing import Any

from ..aws import Aws
from .handler import LEAF, UNREAD_TAGS, Given, Outputs, handles, present, upper

_METRIC = {"namespace": LEAF, "metricName": LEAF, "dimensions": LEAF, "period": LEAF}


@handles(
    "aws:cloudwatch:MetricAlarm",
    applied={
        **_METRIC,
        "name": LEAF,
        "alarmDescription": LEAF,
        "comparisonOperator": LEAF,
        "threshold": LEAF,
        "evaluationPeriods": LEAF,
        "treatMissingData": LEAF,
        "statistic": LEAF,
        "metricQueries": [
            {"id": LEAF, "expression": LEAF, "label": LEAF, "returnData": LEAF, "metric": {**_METRIC, "stat": LEAF}}
        ],
    },
    ignored=UNREAD_TAGS,
    outputs=("id", "arn"),
)
def put_alarm(aws: Aws, given: Given) -> Outputs:
    """Puts an alarm, which watches either one metric or the one query whose data is returned."""
    alarms = aws("cloudwatch")
    name = given.need("name")
    queries = given.get("metricQueries", [])
    if bool(queries) == bool(given.get("metricName")):
        raise given.wrong("metricQueries", "exactly one of `metricName` and `metricQueries` must be there")
    if queries and [query.get("returnData") for query in queries].count(True) != 1:
        raise given.wrong("metricQueries", "exactly one query must return its data")
    alarms.put_metric_alarm(
        AlarmName=name,
        ComparisonOperator=given.need("comparisonOperator"),
        Threshold=given.need("threshold"),
        EvaluationPeriods=given.need("evaluationPeriods"),
        **present(
            AlarmDescription=given.get("alarmDescription"),
            TreatMissingData=given.get("treatMissingData"),
            Namespace=given.get("namespace"),
            MetricName=given.get("metricName"),
            Dimensions=_dimensions(given.get("dimensions")),
            Period=given.get("period"),
            Statistic=given.get("statistic"),
            Metrics=[_query(query) for query in queries] or None,
        ),
    )
    (alarm,) = alarms.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return {"id": name, "arn": alarm["AlarmArn"]}


@handles(
    "aws:cloudwatch:Dashboard",
    applied={"dashboardName": LEAF, "dashboardBody": LEAF},
    outputs=("id", "dashboardArn"),
)
def put_dashboard(aws: Aws, given: Given) -> Outputs:
    """Puts a dashboard. The emulator doesn't look into its body."""
    dashboards = aws("cloudwatch")
    name = given.need("dashboardName")
    dashboards.put_dashboard(DashboardName=name, DashboardBody=given.json_text("dashboardBody"))
    return {"id": name, "dashboardArn": dashboards.get_dashboard(DashboardName=name)["DashboardArn"]}


def _query(query: dict[str, Any]) -> dict[str, Any]:
    metric = query.get("metric")
    if metric is None:
        return upper(query)
    asked = {key: value for key, value in metric.items() if key not in {"period", "stat", "dimensions"}}
    return {
        "Id": query["id"],
        "ReturnData": query["returnData"],
        "MetricStat": {
            "Metric": {**upper(asked), "Dimensions": _dimensions(metric["dimensions"])},
            "Period": metric["period"],
            "Stat": metric["stat"],
        },
    }


def _dimensions(dimensions: dict[str, str] | None) -> list[dict[str, str]] | None:
    return dimensions and [{"Name": name, "Value": value} for name, value in dimensions.items()]
