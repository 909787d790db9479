//! Step Functions' part in a broadcast: plan, deliver the pages, plan again, until everything is sent.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use futures::stream::{self, StreamExt};
use hubbub_aws::clients::Clients;
use hubbub_aws::metrics::Metered;
use hubbub_aws::poster::ConnectionsPoster;
use hubbub_aws::table::Table;
use hubbub_core::broadcast::page::Page;
use hubbub_core::broadcast::page_delivery::PageDelivery;
use hubbub_core::broadcast::planner::Planner;
use hubbub_core::broadcast::round::{Next, PageInput, PageReport, PlanInput, Round, Totals};
use hubbub_core::delivery::fan_out::FanOut;
use hubbub_core::limits::budget::Budget;
use hubbub_core::ports::{Broadcasts, PortResult};
use hubbub_core::settings;
use hubbub_core::transport::API_GATEWAY;
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::LeaseId;
use hubbub_core::wire::time::Timestamp;
use tokio::sync::{Mutex, mpsc, oneshot};

use super::room::TABLE;

/// Where the gateway and DynamoDB are, and how the senders share the posts.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) gateway: String,
    pub(crate) dynamodb: String,
    pub(crate) budget: Budget,
}

impl Place {
    fn clients(&self) -> Clients {
        Clients::local(self.dynamodb.clone(), "us-east-1".to_owned())
    }

    pub(crate) fn table(&self) -> Table {
        self.clients().table(TABLE.to_owned())
    }

    /// A poster as the functions make it.
    pub(crate) fn poster(&self) -> anyhow::Result<ConnectionsPoster> {
        let rate = self.budget.large_rate(self.budget.page_senders());
        let (concurrency, timeout) = (settings::POST_CONCURRENCY.default, settings::POST_TIMEOUT_MS.default);
        Ok(self.clients().poster(&self.gateway, rate, concurrency, timeout)?)
    }

    /// A new sender's fan-outs, as the functions make them.
    pub(crate) fn fan_out(&self) -> anyhow::Result<FanOut<Table, ConnectionsPoster, Metered>> {
        Ok(FanOut::of_new_sender(self.table(), self.poster()?, meter(), self.budget, API_GATEWAY))
    }
}

/// A deadline that never comes: a long run is measured, not cut off.
pub(crate) const NEVER: Timestamp = Timestamp(u64::MAX);

pub(crate) const LEASE: Duration = Duration::from_secs(settings::LEASE_SECONDS.default);

pub(crate) const RETENTION: Duration = Duration::from_secs(settings::RETENTION_SECONDS.default);

/// The functions' own metrics, because they cost time. Nobody reads them.
pub(crate) fn meter() -> Metered {
    Metered::new("bench", "bench")
}

#[derive(Clone, Debug)]
pub(crate) struct Starter(mpsc::UnboundedSender<(Channel, LeaseId)>);

impl Broadcasts for Starter {
    async fn start(&self, channel: &Channel, lease: &LeaseId) -> PortResult<()> {
        // Only a measurement that is over has no receiver.
        let _ = self.0.send((channel.clone(), lease.clone()));
        Ok(())
    }
}

/// A page for a sender.
struct Job {
    input: PageInput,
    report: oneshot::Sender<PortResult<PageReport>>,
}

pub(crate) struct StateMachine {
    planner: Planner<Table, Starter, ConnectionsPoster, Metered>,
    jobs: mpsc::UnboundedSender<Job>,
    starts: mpsc::UnboundedReceiver<(Channel, LeaseId)>,
    ended: mpsc::UnboundedSender<anyhow::Result<(Channel, Totals)>>,
}

/// The broadcasts that have ended, in the order of their ends.
pub(crate) type Ends = mpsc::UnboundedReceiver<anyhow::Result<(Channel, Totals)>>;

impl StateMachine {
    /// Starts the senders of this many broadcasts, each on a thread of its own, as far as the budget allows.
    pub(crate) fn start(place: &Place, broadcasts: u32) -> anyhow::Result<(Self, Starter, Ends)> {
        let (start, starts) = mpsc::unbounded_channel();
        let (jobs, queue) = mpsc::unbounded_channel();
        let (ended, ends) = mpsc::unbounded_channel();
        let queue = Arc::new(Mutex::new(queue));
        let senders = place.budget.page_senders().saturating_mul(broadcasts);
        for _ in 0..senders.min(place.budget.page_functions()) {
            start_sender(place, Arc::clone(&queue))?;
        }
        let starter = Starter(start);
        let planner = Planner {
            store: place.table(),
            broadcasts: starter.clone(),
            poster: place.poster()?,
            env: meter(),
            lease: LEASE,
            page_members: settings::PAGE_MEMBERS.default,
            round_frames: settings::ROUND_FRAMES.default,
            history_events: settings::HISTORY_EVENTS.default,
            budget: place.budget,
            retention: RETENTION,
            transport: API_GATEWAY,
        };
        Ok((Self { planner, jobs, starts, ended }, starter, ends))
    }

    /// Runs every broadcast that is started.
    pub(crate) async fn run(self) {
        let Self { planner, jobs, starts, ended } = self;
        let starts = stream::unfold(starts, async |mut starts| starts.recv().await.map(|start| (start, starts)));
        starts
            .for_each_concurrent(None, async |(channel, lease)| {
                let end = execute(&planner, &jobs, &channel, lease).await.map(|totals| (channel, totals));
                let _ = ended.send(end);
            })
            .await;
    }
}

fn start_sender(place: &Place, queue: Arc<Mutex<mpsc::UnboundedReceiver<Job>>>) -> anyhow::Result<()> {
    let delivery = PageDelivery { fan_out: place.fan_out()?, lease: LEASE };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("sender".to_owned()).spawn(move || {
        runtime.block_on(async {
            loop {
                let Some(job) = queue.lock().await.recv().await else { return };
                let _ = job.report.send(delivery.deliver(job.input, NEVER).await);
            }
        });
    })?;
    Ok(())
}

/// One execution of `broadcast.asl.json`, without retries: nothing should fail.
async fn execute(
    planner: &Planner<Table, Starter, ConnectionsPoster, Metered>,
    jobs: &mpsc::UnboundedSender<Job>,
    channel: &Channel,
    lease: LeaseId,
) -> anyhow::Result<Totals> {
    let totals = Totals::default();
    let mut input = PlanInput { channel: channel.clone(), lease, round: None, reports: Vec::new(), totals };
    loop {
        let plan = planner.plan(input).await?;
        let Next::Round { round, pages, concurrency } = plan.next else { return Ok(plan.totals) };
        let lease = &plan.lease;
        let reports: Vec<anyhow::Result<PageReport>> = stream::iter(pages)
            .map(|page| deliver_page(jobs, channel, lease, &round, page))
            .buffer_unordered(usize::try_from(concurrency)?)
            .collect()
            .await;
        let reports = reports.into_iter().collect::<anyhow::Result<_>>()?;
        input =
            PlanInput { channel: plan.channel, lease: plan.lease, round: Some(round), reports, totals: plan.totals };
    }
}

async fn deliver_page(
    jobs: &mpsc::UnboundedSender<Job>,
    channel: &Channel,
    lease: &LeaseId,
    round: &Round,
    page: Page,
) -> anyhow::Result<PageReport> {
    let input = PageInput { channel: channel.clone(), lease: lease.clone(), round: round.clone(), page };
    let (report, reported) = oneshot::channel();
    jobs.send(Job { input, report }).ok().context("the senders have ended")?;
    Ok(reported.await.context("a sender has ended")??)
}
