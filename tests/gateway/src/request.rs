//! Checks requests as API Gateway does: path, signature headers, size.

use hyper::header::{AUTHORIZATION, HeaderMap};
use percent_encoding::percent_decode_str;

/// The largest body (apigateway-execution-service-websocket-limits-table).
pub(crate) const MAX_BODY_BYTES: usize = 128 * 1024;

/// The connection id of a path `/{stage}/@connections/{id}`; the `@` may be encoded.
pub(crate) fn connection_id(path: &str, stage: &str) -> Option<String> {
    let rest = path.strip_prefix('/')?.strip_prefix(stage)?;
    let id = rest.strip_prefix("/@connections/").or_else(|| rest.strip_prefix("/%40connections/"))?;
    if id.is_empty() || id.contains('/') {
        return None;
    }
    percent_decode_str(id).decode_utf8().ok().map(|id| id.into_owned())
}

/// What a signature version 4 lacks, if anything. That it is right isn't checked.
pub(crate) fn missing_of_signature(headers: &HeaderMap) -> Option<&'static str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(authorization) = text(AUTHORIZATION.as_str()) else { return Some("authorization") };
    let Some(fields) = authorization.strip_prefix("AWS4-HMAC-SHA256 ") else { return Some("the algorithm") };
    let field =
        |name: &str| fields.split(',').find_map(|field| field.trim_start().strip_prefix(name)?.strip_prefix('='));
    if !field("Credential").is_some_and(|scope| scope.ends_with("/execute-api/aws4_request")) {
        return Some("a credential scope for execute-api");
    }
    let signed: Vec<&str> = field("SignedHeaders").unwrap_or_default().split(';').collect();
    if !["host", "x-amz-date"].iter().all(|name| signed.contains(name)) {
        return Some("host and x-amz-date among the signed headers");
    }
    if !signed.iter().all(|name| headers.contains_key(*name)) {
        return Some("a header that is signed");
    }
    if !field("Signature").is_some_and(is_sha256) {
        return Some("the signature");
    }
    if text("x-amz-date").is_none_or(|date| date.len() != "20260102T030405Z".len() || !date.ends_with('Z')) {
        return Some("x-amz-date");
    }
    if headers.contains_key("x-amz-content-sha256") && !text("x-amz-content-sha256").is_some_and(is_sha256) {
        return Some("a hash in x-amz-content-sha256");
    }
    None
}

fn is_sha256(hex: &str) -> bool {
    hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    fn check_path(path: &str, expected: Option<&str>) {
        assert_eq!(connection_id(path, "live").as_deref(), expected, "{path}");
    }

    #[test]
    fn a_path_names_stage_and_connection() {
        check_path("/live/@connections/L0SM9cOFvHcCIhw%3D", Some("L0SM9cOFvHcCIhw="));
        check_path("/live/%40connections/a%2Fb%2B%20c", Some("a/b+ c"));
        check_path("/live/@connections/", None);
        check_path("/live/@connections/a/b", None);
        check_path("/test/@connections/a", None);
        check_path("/live/connections/a", None);
    }

    fn check_headers(headers: &[(&'static str, &str)], missing: Option<&str>) {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect();
        assert_eq!(missing_of_signature(&headers), missing, "{headers:?}");
    }

    #[test]
    fn a_request_without_its_signature_headers_is_refused() {
        let hash = "0123456789abcdef".repeat(4);
        let scope = "AWS4-HMAC-SHA256 Credential=A/20260102/eu-west-1/execute-api/aws4_request";
        let authorization = format!("{scope}, SignedHeaders=host;x-amz-date, Signature={hash}");
        let host = ("host", "h");
        let date = ("x-amz-date", "20260102T030405Z");
        check_headers(&[host, date, ("authorization", &authorization)], None);
        check_headers(&[host, date], Some("authorization"));
        check_headers(&[date, ("authorization", &authorization)], Some("a header that is signed"));
        check_headers(
            &[host, date, ("authorization", &format!("{scope}, SignedHeaders=host;x-amz-date"))],
            Some("the signature"),
        );
        check_headers(
            &[host, date, ("authorization", &authorization), ("x-amz-content-sha256", "x")],
            Some("a hash in x-amz-content-sha256"),
        );
        let other = authorization.replace("execute-api", "s3");
        check_headers(&[host, date, ("authorization", &other)], Some("a credential scope for execute-api"));
    }
}
