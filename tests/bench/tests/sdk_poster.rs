//! The SDK's poster and the functions' own send the same requests, so that the benchmark compares like with like.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::time::Duration;

use aws_credential_types::Credentials;
use hubbub_aws::poster::target::Target;
use hubbub_aws::poster::{ConnectionsPoster, PosterSettings, Trust};
use hubbub_aws::runtime::sdk_config_for;
use hubbub_bench::sdk_poster::SdkPoster;
use hubbub_core::ports::Poster;
use hubbub_core::wire::frame::Frame;
use hubbub_core::wire::id::ConnectionId;
use hubbub_core::wire::message::Seq;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const IDS: [&str; 6] = ["L0SM9cOFvHcCIhw=", "a+b=", "a/b", "two words", "~._-", "é%41?&#@:"];

const TIMEOUT: Duration = Duration::from_secs(60);

/// What a poster sends: the path, the content type, and the body.
type Sent = (String, String, String);

/// Takes one request, and answers 200.
async fn take_one(listener: &TcpListener) -> Sent {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut read = Vec::new();
    loop {
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let header = |wanted: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            lines
                .clone()
                .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
                .map(|(_, value)| value.to_owned())
                .unwrap()
        };
        if body.len() == header("content-length").parse::<usize>().unwrap() {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
            let path = head.split(' ').nth(1).unwrap().to_owned();
            return (path, header("content-type"), body.to_owned());
        }
    }
}

#[tokio::test]
async fn both_posters_send_the_same_requests() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/live", listener.local_addr().unwrap());
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("a/session+token==".to_owned()), None, "test");
    let config = sdk_config_for(Some("eu-west-1".to_owned()), None, Some(credentials));
    let settings = PosterSettings { concurrency: 1, timeout: TIMEOUT, rate: None, trust: Trust::Native };
    let (sdk, own) =
        (SdkPoster::new(&config, &url, 1, TIMEOUT), ConnectionsPoster::new(&config, &url, settings).unwrap());
    let frames = [Frame { text: "{}".to_owned(), last: Seq(1) }];
    for id in IDS {
        let connections = [ConnectionId::new(id)];
        let (_, by_sdk) = tokio::join!(sdk.post(&frames, &connections), take_one(&listener));
        let (_, by_own) = tokio::join!(own.post(&frames, &connections), take_one(&listener));
        assert_eq!(by_sdk, by_own, "{id}");
        assert_eq!(by_own.0, Target::parse(&url, &Trust::Native).unwrap().path(&connections[0]));
    }
}
