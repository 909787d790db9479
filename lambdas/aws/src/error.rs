//! From the SDK's errors to the ports'.

use std::fmt::Display;

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use hubbub_core::ports::PortError;

/// Codes by which a service says that it is busy, or that two writers met.
const BUSY: [&str; 9] = [
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionConflictException",
    "TransactionInProgressException",
    "InternalServerError",
    "ServiceUnavailable",
    "LimitExceededException",
];

/// Keeps what an operator needs: what was tried, and the whole chain of what was said.
pub(crate) fn port_error<E>(operation: &'static str, error: &SdkError<E>) -> PortError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let retryable = match error {
        SdkError::ServiceError(context) => {
            context.raw().status().as_u16() >= 500 || context.err().code().is_some_and(|code| BUSY.contains(&code))
        }
        SdkError::ConstructionFailure(_) => false,
        // No answer, or half of one: it isn't known whether the call was carried out.
        _ => true,
    };
    PortError { operation, detail: DisplayErrorContext(error).to_string(), retryable }
}

/// A value that was built here lacks a field that the SDK requires, or an answer lacks one that the service promises.
pub(crate) fn malformed(operation: &'static str, detail: impl Display) -> PortError {
    PortError { operation, detail: detail.to_string(), retryable: false }
}
