//! A parameter is read by one signed request, over a real socket to a server on the loopback.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use aws_credential_types::Credentials;
use hubbub_aws::parameter::Parameter;
use hubbub_aws::runtime::sdk_config_for;
use hubbub_core::ports::{PortError, PortResult};
use ring::digest::{SHA256, digest};
use ring::hmac::{HMAC_SHA256, Key, sign};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCY";

/// A request's head and body.
type Request = (String, String);

/// Answers requests with these statuses and bodies in turn, one for each connection; what was asked.
async fn serve(listener: TcpListener, answers: &[(&str, &str)]) -> Vec<Request> {
    let mut requests = Vec::new();
    for (status, body) in answers {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut read, mut request) = (Vec::new(), None);
        while request.is_none() {
            assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0);
            let text = String::from_utf8(read.clone()).unwrap();
            request = text.split_once("\r\n\r\n").map(|(head, body)| (head.to_owned(), body.to_owned()));
            request = request.filter(|(head, body)| header(head, "content-length").parse() == Ok(body.len()));
        }
        requests.extend(request);
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
    requests
}

fn header(head: &str, wanted: &str) -> String {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let mut found = lines.filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.to_owned());
    found.next().unwrap_or_else(|| panic!("there is no `{wanted}` in {head}"))
}

/// Reads the parameter `/hubbub/key` from a server that gives these answers.
async fn read(answers: &[(&str, &str)]) -> (PortResult<String>, Vec<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let credentials = Credentials::new("AKIDEXAMPLE", SECRET, Some("session".to_owned()), None, "test");
    let config = sdk_config_for(Some("eu-west-1".to_owned()), Some(endpoint), Some(credentials));
    let parameter = Parameter::new(&config, "/hubbub/key".to_owned()).unwrap();
    tokio::join!(parameter.value(), serve(listener, answers))
}

async fn error_of(status: &str, body: &str) -> PortError {
    let (read, requests) = read(&[(status, body)]).await;
    assert_eq!(requests.len(), 1, "it is not tried again");
    read.unwrap_err()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Signature version 4 of a request, written out.
fn signature((head, body): &Request) -> String {
    let authorization = header(head, "authorization");
    let names = authorization.split_once("SignedHeaders=").unwrap().1.split_once(',').unwrap().0.to_owned();
    let headers: String = names.split(';').map(|name| format!("{name}:{}\n", header(head, name))).collect();
    let body = hex(digest(&SHA256, body.as_bytes()).as_ref());
    let canonical = format!("POST\n/\n\n{headers}\n{names}\n{body}");
    let time = header(head, "x-amz-date");
    let (day, scope) = (&time[..8], format!("{}/eu-west-1/ssm/aws4_request", &time[..8]));
    let hash = hex(digest(&SHA256, canonical.as_bytes()).as_ref());
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hash}");
    let mac = |key: &[u8], text: &str| sign(&Key::new(HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec();
    let parts = [day, "eu-west-1", "ssm", "aws4_request"];
    let key = parts.iter().fold(format!("AWS4{SECRET}").into_bytes(), |key, part| mac(&key, part));
    let signature = hex(&mac(&key, &to_sign));
    format!("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, SignedHeaders={names}, Signature={signature}")
}

#[tokio::test]
async fn parameter_is_asked_for_by_a_signed_request() {
    let (value, requests) = read(&[("200 OK", r#"{"Parameter": {"Name": "/hubbub/key", "Value": "secret"}}"#)]).await;
    assert_eq!(value.unwrap(), "secret");
    let (head, body) = &requests[0];
    assert!(head.starts_with("POST / HTTP/1.1\r\n"), "{head}");
    assert_eq!(header(head, "x-amz-target"), "AmazonSSM.GetParameter");
    assert_eq!(header(head, "content-type"), "application/x-amz-json-1.1");
    assert_eq!(header(head, "x-amz-security-token"), "session");
    assert_eq!(body, r#"{"Name":"/hubbub/key","WithDecryption":true}"#);
    assert_eq!(header(head, "authorization"), signature(&requests[0]));
}

#[tokio::test]
async fn busy_service_is_asked_again() {
    let throttled = r#"{"__type": "ThrottlingException", "message": "Rate exceeded"}"#;
    let answers = [("400 Bad Request", throttled), ("500 Oh", ""), ("200 OK", r#"{"Parameter": {"Value": "secret"}}"#)];
    let (value, requests) = read(&answers).await;
    assert_eq!((value.unwrap().as_str(), requests.len()), ("secret", 3));
}

#[tokio::test]
async fn error_says_what_was_asked_and_answered() {
    let missing = error_of("400 Bad Request", r#"{"__type": "ParameterNotFound"}"#).await;
    assert!(missing.to_string().contains("ssm:GetParameter"), "{missing}");
    assert!(missing.to_string().contains(r#"answered with 400: {"__type": "ParameterNotFound"}"#), "{missing}");
    let denied = error_of("400 Bad Request", r#"{"__type": "AccessDeniedException"}"#).await;
    assert!(denied.to_string().contains("AccessDeniedException") && !denied.is_retryable(), "{denied}");
    let garbage = error_of("200 OK", "<html>").await;
    assert!(garbage.to_string().contains("expected value"), "{garbage}");
}

#[tokio::test]
async fn value_is_kept_for_a_while() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let credentials = Credentials::new("AKIDEXAMPLE", SECRET, None, None, "test");
    let config = sdk_config_for(Some("eu-west-1".to_owned()), Some(endpoint), Some(credentials));
    let parameter = Parameter::new(&config, "/hubbub/key".to_owned()).unwrap();
    let answers = [("200 OK", r#"{"Parameter": {"Value": "secret"}}"#)];
    let (read, _) = tokio::join!(parameter.value(), serve(listener, &answers));
    assert_eq!(read.unwrap(), "secret");
    // The server is gone.
    assert_eq!(parameter.value().await.unwrap(), "secret");
}
