//! From AWS's errors to the ports'.

use std::fmt::Display;

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use hubbub_core::ports::PortError;

/// Codes of errors that pass: the service is busy, or two writers met.
pub(crate) const BUSY: [&str; 9] = [
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

/// Keeps what an operator needs: the call, and the whole chain of errors.
pub(crate) fn port_error<E>(operation: &'static str, error: &SdkError<E>) -> PortError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let retryable = match error {
        SdkError::ServiceError(context) => {
            context.raw().status().as_u16() >= 500 || context.err().code().is_some_and(|code| BUSY.contains(&code))
        }
        SdkError::ConstructionFailure(_) => false,
        // No answer, or half of one. Nobody knows whether the call was carried out.
        _ => true,
    };
    PortError { operation, detail: DisplayErrorContext(error).to_string(), retryable }
}

/// A request lacks a field that the SDK requires, or an answer lacks one that the service promises.
pub(crate) fn malformed(operation: &'static str, detail: impl Display) -> PortError {
    PortError { operation, detail: detail.to_string(), retryable: false }
}
