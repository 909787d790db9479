//! Signs pages of requests on one thread and on all, in turns: from which size do more threads pay?

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use bytes::Bytes;
use clap::Args;
use hubbub_aws::poster::Trust;
use hubbub_aws::poster::page::{Threads, prepare};
use hubbub_aws::poster::sign::{Body, Signer};
use hubbub_aws::poster::target::Target;
use hubbub_core::wire::id::ConnectionId;
use hubbub_core::wire::time::Timestamp;
use serde::Serialize;

/// Between two pages. The other threads go to sleep, as they do between the pages of a broadcast.
const PAUSE: Duration = Duration::from_millis(2);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How often each page is signed each way
    #[arg(long, default_value_t = 200)]
    rounds: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    rows: Vec<Row>,
    threads: usize,
    /// The smallest page from which on threads are faster at every size.
    pays_from: Option<usize>,
}

#[derive(Debug, Serialize)]
struct Row {
    page: usize,
    one_thread_us: f64,
    rayon_us: f64,
}

pub(crate) fn measure(arguments: &Arguments) -> anyhow::Result<Measured> {
    let target = Target::parse("http://127.0.0.1:1/live", &Trust::Only(String::new()))?;
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("t".repeat(800)), None, "bench");
    let signer = Signer::new(&credentials, "us-east-1", &target, Timestamp(1_767_323_045_000))?;
    let bodies = [Body::new(Bytes::from(vec![b'x'; 1_024]))];
    let connections: Vec<_> = (0..8_192).map(|number| ConnectionId::new(format!("L0SM9cOFvHc{number:04}="))).collect();
    let mut rows = Vec::new();
    for page in (4..=13).map(|power| 1_usize << power) {
        let Some(connections) = connections.get(..page) else { continue };
        let make = |threads| -> anyhow::Result<Duration> {
            thread::sleep(PAUSE);
            let began = Instant::now();
            black_box(prepare(threads, &signer, &target, &bodies, connections)?);
            Ok(began.elapsed())
        };
        let (mut one, mut all) = (Vec::new(), Vec::new());
        for _ in 0..arguments.rounds {
            one.push(make(Threads::One)?);
            all.push(make(Threads::All)?);
        }
        rows.push(Row { page, one_thread_us: median_us(one), rayon_us: median_us(all) });
    }
    let pays = |row: &&Row| row.rayon_us < row.one_thread_us;
    let pays_from = rows.iter().rev().take_while(pays).last().map(|row| row.page);
    Ok(Measured { rows, threads: rayon::current_num_threads(), pays_from })
}

fn median_us(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1e6)
}
