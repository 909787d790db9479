//! Signature version 4 for posts.
//!
//! Posts of the same 30 seconds share their date, key and headers, and a frame's posts share its hash. Each post only hashes a canonical request
//! of a few hundred bytes and authenticates a string, which takes about a microsecond. `aws-sigv4` derives the key and sorts the headers for every
//! request, which takes several times as long. A test holds that both make the same signatures, and a test in
//! `tests/bench` that the SDK sends the same path, content type and body.
//! (docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html)

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use bytes::Bytes;
use hubbub_core::wire::time::Timestamp;
use hyper::Method;
use hyper::header::HeaderValue;
use ring::digest::{SHA256, digest};
use ring::hmac::{HMAC_SHA256, Key, sign};
use thiserror::Error;

use super::target::{Target, push_encoded_path};

/// The content type of posts. It is the SDK's.
pub(super) const CONTENT_TYPE: &str = "application/octet-stream";

/// The service's name in signatures.
const SERVICE: &str = "execute-api";

/// A frame's bytes with their hash.
#[derive(Clone, Debug)]
pub struct Body {
    pub(super) bytes: Bytes,
    hash: String,
}

impl Body {
    /// Hashes a frame, once for all its posts.
    #[must_use]
    pub fn new(bytes: Bytes) -> Self {
        let mut hash = String::with_capacity(64);
        push_hex(&mut hash, digest(&SHA256, &bytes).as_ref());
        Self { bytes, hash }
    }
}

/// Something can't be signed or sent as a header.
#[derive(Debug, Error)]
pub enum SignError {
    #[error("the time has no date")]
    Time,
    #[error("the credentials hold characters that a header can't")]
    Credentials,
    #[error("the path can't be sent")]
    Path,
}

/// How long after its date a signature is sent. It is valid for five minutes.
const SENT_WITHIN: Duration = Duration::from_secs(120);

/// Signs posts with one date and one key.
#[derive(Debug)]
pub struct Signer {
    made_at: Timestamp,
    /// The `host` header.
    pub(super) host: HeaderValue,
    /// The `x-amz-date` header.
    pub(super) date: HeaderValue,
    /// The `x-amz-security-token` header.
    pub(super) token: Option<HeaderValue>,
    key: Key,
    /// The string to sign up to the canonical request's hash.
    string_to_sign: String,
    /// The canonical request after the path and up to the payload's hash.
    canonical_headers: String,
    /// The `authorization` header up to the signature.
    authorization: String,
}

impl Signer {
    /// Computes what posts at `now` share.
    ///
    /// # Errors
    /// When the time or the credentials can't be written in a header.
    pub fn new(credentials: &Credentials, region: &str, target: &Target, now: Timestamp) -> Result<Self, SignError> {
        let date_time = date_time(now)?;
        let date = date_time.get(..8).ok_or(SignError::Time)?;
        let scope = format!("{date}/{region}/{SERVICE}/aws4_request");
        let host = target.authority.to_str().map_err(|_| SignError::Credentials)?;
        let mut canonical_headers = format!("\n\ncontent-type:{CONTENT_TYPE}\nhost:{host}\nx-amz-date:{date_time}\n");
        let mut signed_headers = "content-type;host;x-amz-date".to_owned();
        let mut token = None;
        if let Some(text) = credentials.session_token() {
            canonical_headers.push_str("x-amz-security-token:");
            canonical_headers.push_str(text);
            canonical_headers.push('\n');
            signed_headers.push_str(";x-amz-security-token");
            token = Some(sensitive(text.to_owned())?);
        }
        canonical_headers.push('\n');
        canonical_headers.push_str(&signed_headers);
        canonical_headers.push('\n');
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed_headers}, Signature=",
            credentials.access_key_id()
        );
        Ok(Self {
            made_at: now,
            host: target.authority.clone(),
            date: HeaderValue::from_str(&date_time).map_err(|_| SignError::Time)?,
            token,
            key: signing_key(credentials.secret_access_key(), date, region),
            string_to_sign: format!("AWS4-HMAC-SHA256\n{date_time}\n{scope}\n"),
            canonical_headers,
            authorization,
        })
    }

    /// The id of the key that it signs with.
    #[cfg(test)]
    pub(super) fn key_id(&self) -> String {
        self.authorization.split_once("Credential=").unwrap().1.split_once('/').unwrap().0.to_owned()
    }

    /// Whether its signatures may still be sent.
    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        now.since(self.made_at) < SENT_WITHIN
    }

    /// The `authorization` header of a request with this body to this path.
    ///
    /// # Errors
    /// When the credentials can't be written in a header.
    pub fn sign(&self, method: &Method, path: &str, body: &Body) -> Result<HeaderValue, SignError> {
        let mut canonical = String::with_capacity(path.len() * 2 + self.canonical_headers.len() + body.hash.len() + 8);
        canonical.push_str(method.as_str());
        canonical.push('\n');
        push_encoded_path(&mut canonical, path);
        canonical.push_str(&self.canonical_headers);
        canonical.push_str(&body.hash);

        let mut string_to_sign = String::with_capacity(self.string_to_sign.len() + 64);
        string_to_sign.push_str(&self.string_to_sign);
        push_hex(&mut string_to_sign, digest(&SHA256, canonical.as_bytes()).as_ref());

        let mut authorization = String::with_capacity(self.authorization.len() + 64);
        authorization.push_str(&self.authorization);
        push_hex(&mut authorization, sign(&self.key, string_to_sign.as_bytes()).as_ref());
        sensitive(authorization)
    }
}

/// A header's value that is never logged.
fn sensitive(text: String) -> Result<HeaderValue, SignError> {
    let mut value = HeaderValue::from_maybe_shared(Bytes::from(text)).map_err(|_| SignError::Credentials)?;
    value.set_sensitive(true);
    Ok(value)
}

/// `20260102T030405Z`.
fn date_time(now: Timestamp) -> Result<String, SignError> {
    let seconds = i64::try_from(now.0 / 1_000).map_err(|_| SignError::Time)?;
    let text = DateTime::from_secs(seconds).fmt(Format::DateTime).map_err(|_| SignError::Time)?;
    Ok(text.chars().filter(|character| !matches!(character, '-' | ':')).collect())
}

fn signing_key(secret: &str, date: &str, region: &str) -> Key {
    let secret = format!("AWS4{secret}");
    [date, region, SERVICE, "aws4_request"].into_iter().fold(Key::new(HMAC_SHA256, secret.as_bytes()), |key, part| {
        Key::new(HMAC_SHA256, sign(&key, part.as_bytes()).as_ref())
    })
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings};
    use aws_sigv4::sign::v4::SigningParams;
    use hubbub_core::wire::id::ConnectionId;

    use super::super::Trust;
    use super::*;

    const REGION: &str = "eu-west-1";
    const IDS: [&str; 6] = ["L0SM9cOFvHcCIhw=", "a+b=", "a/b", "two words", "~._-", "é%41?&#@:"];

    fn credentials(token: Option<&str>) -> Credentials {
        Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCY", token.map(ToOwned::to_owned), None, "test")
    }

    /// The signature that `aws-sigv4` makes for these headers.
    fn reference(
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        credentials: &Credentials,
        time: SystemTime,
    ) -> String {
        let identity = credentials.clone().into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name(SERVICE)
            .time(time)
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let request = SignableRequest::new("POST", url, headers.iter().copied(), SignableBody::Bytes(body)).unwrap();
        aws_sigv4::http_request::sign(request, &params).unwrap().into_parts().1
    }

    fn signature(authorization: &str) -> &str {
        authorization.split_once("Signature=").unwrap().1
    }

    fn check(id: &str, token: Option<&str>) {
        let body = br#"{"type":"message"}"#;
        let now = Timestamp(1_767_323_045_678);
        let credentials = credentials(token);
        let target = Target::parse("https://abc.execute-api.eu-west-1.amazonaws.com/live", &Trust::Native).unwrap();
        let path = target.path(&ConnectionId::new(id));
        let signer = Signer::new(&credentials, REGION, &target, now).unwrap();
        let authorization = signer.sign(&Method::POST, &path, &Body::new(Bytes::from_static(body))).unwrap();
        let time = UNIX_EPOCH + Duration::from_millis(now.0);
        let url = format!("https://abc.execute-api.eu-west-1.amazonaws.com{path}");
        let expected = reference(&url, &[("content-type", CONTENT_TYPE)], body, &credentials, time);
        assert_eq!(signature(authorization.to_str().unwrap()), expected, "{id}");
    }

    #[test]
    fn signatures_are_those_of_aws_sigv4() {
        for id in IDS {
            check(id, None);
            check(id, Some("a/session+token=="));
        }
    }
}
