//! Documents are fetched over a real socket, and an error says what is wrong with an answer.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy.toml allows them in tests, which leaves out the helpers that tests share"
)]

use hubbub_aws::web::Document;
use hubbub_core::ports::PortError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Fetches a document from a server that gives this answer and closes the connection.
async fn fetch_from(answer: Vec<u8>) -> Result<String, PortError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys.json", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = [0; 1_024];
        let read = socket.read(&mut request).await.unwrap();
        assert!(request[..read].starts_with(b"GET /keys.json HTTP/1.1\r\n"));
        // The client may have heard enough before the end.
        let _ = socket.write_all(&answer).await;
    });
    Document::new(&url).unwrap().fetch().await
}

fn answer(status: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

async fn check_fails(answer: Vec<u8>, why: &str) {
    let error = fetch_from(answer).await.unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
    assert!(error.is_retryable(), "{error}");
}

#[tokio::test]
async fn document_is_the_body_of_the_answer() {
    assert_eq!(fetch_from(answer("200 OK", br#"{"keys":[]}"#)).await.unwrap(), r#"{"keys":[]}"#);
}

#[tokio::test]
async fn bad_answer_is_a_retryable_error() {
    check_fails(answer("404 Not Found", b"{}"), "404").await;
    // The operator did not ask for the address that a redirect names.
    check_fails(answer("302 Found\r\nlocation: http://127.0.0.1/", b""), "302").await;
    check_fails(answer("200 OK", &vec![b' '; 256 * 1_024 + 1]), "limit").await;
    check_fails(answer("200 OK", &[0xff, 0xfe]), "utf-8").await;
    check_fails(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{".to_vec(), "fetch failed").await;
    check_fails(b"SSH-2.0\r\n\r\n".to_vec(), "fetch failed").await;
}

#[tokio::test]
async fn fetch_gives_up_on_a_silent_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let error = Document::new(&url).unwrap().fetch().await.unwrap_err();
    assert!(error.to_string().contains("not answered in time"), "{error}");
}

#[test]
fn urls_are_https_or_on_this_host() {
    for url in ["http://example.com/keys", "ftp://example.com", "example.com", "http://127.0.0.1.example.com", "\u{1}"]
    {
        assert!(Document::new(url).is_err(), "{url}");
    }
    for url in ["https://example.com/keys", "http://localhost:8080/keys", "http://127.0.0.1/keys"] {
        assert!(Document::new(url).is_ok(), "{url}");
    }
}
