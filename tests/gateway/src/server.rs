//! Starts and stops a gateway, and serves its connections.

use std::future::pending;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use bytes::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{oneshot, watch};
use tokio::time::interval;
use tokio_rustls::TlsAcceptor;

use crate::account::Account;
use crate::certificate;
use crate::counters::Counters;
use crate::fault::Fault;
use crate::service;
use crate::settings::Settings;

/// How often the requests that come in beside the posts are let in.
const INBOUND_EVERY: Duration = Duration::from_millis(5);

/// A gateway that runs on a thread of its own until it is dropped.
#[derive(Debug)]
pub struct Gateway {
    url: String,
    authority: Option<String>,
    account: Arc<Account>,
    closing: watch::Sender<u64>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Gateway {
    /// Starts a gateway. It takes posts when this returns.
    ///
    /// # Errors
    /// When it can't listen, or no certificate can be made.
    pub fn start(settings: Settings) -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind(settings.listen)
            .with_context(|| format!("listening on `{}`", settings.listen))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (acceptor, authority) = if settings.tls {
            let (acceptor, pem) = certificate::acceptor()?;
            (Some(acceptor), Some(pem))
        } else {
            (None, None)
        };
        let url = url(&settings, address);
        let account = Arc::new(Account::new(&settings, Instant::now()));
        let (closing, closed) = watch::channel(0);
        let (stop, stopped) = oneshot::channel();
        let server = Server { settings: Arc::new(settings), account: Arc::clone(&account), acceptor, closed };
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("gateway".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = server.accept_all(listener) => {}
                    () = server.let_in() => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { url, authority, account, closing, stop: Some(stop), thread: Some(thread) })
    }

    /// The stage's URL, as a poster wants it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The certificate of the authority that signed the gateway's, as PEM, where it speaks TLS.
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// What it was asked so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.account.counters()
    }

    /// Starts counting anew.
    pub fn reset_counters(&self) {
        self.account.reset_counters();
    }

    /// Sets what goes wrong with a connection from now on; nothing, with `None`.
    pub fn set_fault(&self, id: &str, fault: Option<Fault>) {
        self.account.set_fault(id, fault);
    }

    /// The bodies that were taken for a connection, in the order in which they were, where [`Settings::keep_bodies`] is set.
    #[must_use]
    pub fn bodies(&self, id: &str) -> Vec<Bytes> {
        self.account.bodies(id)
    }

    /// Closes the HTTP connections that are open: idle ones at once, others after their answer.
    pub fn close_connections(&self) {
        self.closing.send_modify(|times| *times += 1);
    }

    /// Serves until the gateway's thread ends, which it doesn't by itself.
    ///
    /// # Errors
    /// When the thread has panicked.
    pub fn join(mut self) -> anyhow::Result<()> {
        match self.thread.take() {
            Some(thread) => thread.join().map_err(|_| anyhow!("the gateway's thread panicked")),
            None => Ok(()),
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn url(settings: &Settings, address: SocketAddr) -> String {
    let (scheme, host) =
        if settings.tls { ("https", "localhost".to_owned()) } else { ("http", address.ip().to_string()) };
    format!("{scheme}://{host}:{}/{}", address.port(), settings.stage)
}

#[derive(Clone)]
struct Server {
    settings: Arc<Settings>,
    account: Arc<Account>,
    acceptor: Option<TlsAcceptor>,
    closed: watch::Receiver<u64>,
}

impl Server {
    async fn accept_all(&self, listener: std::net::TcpListener) {
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => {
                eprintln!("gateway: not listening: {error}");
                return;
            }
        };
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(self.clone().serve(stream));
                }
                Err(error) => {
                    // Out of file descriptors, most likely; the next accept is tried when others have had their turn.
                    eprintln!("gateway: connection not accepted: {error}");
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// Lets requests come in beside the posts, as evenly as the timer allows.
    async fn let_in(&self) {
        let Some(rate) = self.settings.inbound else { return pending().await };
        let began = Instant::now();
        let mut came_in = 0.0;
        let mut timer = interval(INBOUND_EVERY);
        loop {
            timer.tick().await;
            let due = began.elapsed().as_secs_f64() * rate;
            while came_in < due {
                self.account.come_in(Instant::now());
                came_in += 1.0;
            }
        }
    }

    async fn serve(self, stream: TcpStream) {
        // An answer is one small write: waiting for more would only delay it.
        let _ = stream.set_nodelay(true);
        let account = Arc::clone(&self.account);
        account.opened();
        match self.acceptor.clone() {
            None => self.serve_http(stream).await,
            Some(acceptor) => {
                if let Ok(stream) = acceptor.accept(stream).await {
                    self.serve_http(stream).await;
                }
            }
        }
        account.closed();
    }

    /// A connection's end, good or bad, is its client's business: nothing is logged.
    async fn serve_http<S: AsyncRead + AsyncWrite + Unpin>(mut self, stream: S) {
        let (settings, account) = (Arc::clone(&self.settings), Arc::clone(&self.account));
        let posts = AtomicU32::new(0);
        let service = service_fn(|request| {
            let number = posts.fetch_add(1, Ordering::Relaxed) + 1;
            let last = settings.posts_per_connection.is_some_and(|limit| number >= limit);
            service::answer(&settings, &account, request, last)
        });
        let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        self.closed.mark_unchanged();
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = self.closed.changed() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }
}
