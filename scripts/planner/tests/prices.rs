//! The planner's prices are the dashboard's.

use hubbub_infra::prices as dashboard;
use hubbub_planner::prices;

#[test]
fn planner_and_dashboard_have_the_same_prices() {
    for (name, price) in [
        ("API_GATEWAY_MESSAGE", prices::API_GATEWAY_MESSAGE),
        ("API_GATEWAY_CONNECTION_MINUTE", prices::API_GATEWAY_CONNECTION_MINUTE),
        ("LAMBDA_GB_SECOND", prices::LAMBDA_GB_SECOND),
        ("LAMBDA_REQUEST", prices::LAMBDA_REQUEST),
        ("DYNAMODB_READ_UNIT", prices::DYNAMODB_READ_UNIT),
        ("DYNAMODB_WRITE_UNIT", prices::DYNAMODB_WRITE_UNIT),
        ("SQS_REQUEST", prices::SQS_FIFO_REQUEST),
        ("STEP_FUNCTIONS_TRANSITION", prices::STEP_FUNCTIONS_TRANSITION),
    ] {
        let (_, shown) = dashboard::ALL.iter().find(|(shown, _)| *shown == name).unwrap();
        let shown = shown.dollars.parse::<f64>().unwrap() / shown.units as f64;
        assert!((shown / price - 1.0).abs() < 1e-12, "{name}: {shown} on the dashboard, {price} in the planner");
    }
}
