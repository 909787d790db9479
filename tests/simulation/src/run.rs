//! One run: a environment, its chaos, its rest, and the verdict.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use hubbub_core::wire::id::{RoomId, UserId};

use crate::actors::device::Device;
use crate::actors::operator;
use crate::actors::service::Service;
use crate::bug::Bug;
use crate::check;
use crate::environment::{Environment, poll_queue, redrive};
use crate::faults::Faults;
use crate::scale::DEDUPLICATION;
use crate::scheduler::{End, Executor};

/// The outcome of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// By which it is run again.
    pub seed: u64,
    /// How the guarantee was broken, if it was.
    pub violation: Option<String>,
    /// Steps that were taken.
    pub steps: u64,
    /// What was counted.
    pub figures: BTreeMap<&'static str, u64>,
    /// What has happened, a line each, if that was asked for.
    pub trace: Vec<String>,
}

/// Runs a seed. The same seed, with the same bug, is the same run.
#[must_use]
pub fn run(seed: u64, bug: Option<Bug>, is_traced: bool) -> Verdict {
    let mut executor = Executor::new(seed, is_traced);
    let environment = Environment::new(&executor.scheduler(), bug);
    environment.scheduler.note(|| format!("{:?}", environment.scale));
    let violation = play(&mut executor, &environment).err();
    if let Some(violation) = &violation {
        environment.record.violate(violation.clone());
    }
    let figures = environment.record.facts().figures.clone();
    let violation = environment.record.facts().violation.clone();
    Verdict { seed, violation, steps: executor.steps(), figures, trace: executor.trace() }
}

/// How often all actors are busy and then come to rest. Only the last message of a channel shows that it is never sent, so that a few
/// short times find more than a long one.
const EPISODES: u64 = 3;

fn play(executor: &mut Executor, environment: &Rc<Environment>) -> Result<(), String> {
    let scheduler = &environment.scheduler;
    let is_broken = || environment.record.facts().violation.is_some();
    let actors = Actors::new(environment);
    scheduler.set_pace(environment.scale.pace);
    scheduler.spawn("queue", poll_queue(Rc::clone(environment)));
    for episode in 0..EPISODES {
        scheduler.note(|| format!("episode {episode} begins"));
        scheduler.set_faults(environment.scale.faults);
        let busy = actors.begin_episode(environment, episode);
        rest(environment, executor.run(|| busy.get() == 0 || is_broken()))?;
        scheduler.note(|| "faults stop".to_owned());
        scheduler.set_faults(Faults::default());
        rest(environment, executor.run(is_broken))?;
        while environment.queue.has_given_up() {
            redrive(environment);
            rest(environment, executor.run(is_broken))?;
        }
        check::at_rest(environment)?;
        check::forgive(environment);
    }

    // Leases end, and SQS forgets the wakes that it has seen.
    scheduler.note(|| "every device comes back".to_owned());
    rest(environment, executor.wait(DEDUPLICATION + 1))?;
    for device in &actors.devices {
        scheduler.spawn(format!("{} comes back", device.name()), Rc::clone(device).recover());
    }
    rest(environment, executor.run(is_broken))?;
    check::after_recovery(environment, &actors.devices)
}

/// Goes on, unless the run has shown what it must not.
fn rest(environment: &Environment, end: End) -> Result<(), String> {
    match (&environment.record.facts().violation, end) {
        (Some(violation), _) => Err(violation.clone()),
        (None, End::Restless) => Err("it never comes to rest".to_owned()),
        (None, End::Reached | End::AtRest) => Ok(()),
    }
}

struct Actors {
    devices: Vec<Rc<Device>>,
    services: Vec<String>,
    users: Vec<UserId>,
    rooms: Vec<RoomId>,
}

impl Actors {
    fn new(environment: &Rc<Environment>) -> Self {
        let scale = &environment.scale;
        let users: Vec<UserId> =
            (0..scale.users).filter_map(|number| UserId::parse(&format!("user-{number}")).ok()).collect();
        let rooms: Vec<RoomId> =
            (0..scale.rooms).filter_map(|number| RoomId::parse(&format!("room-{number}")).ok()).collect();
        let device = |user: &UserId, number| {
            Device::new(environment, format!("{user}-device-{number}"), user.clone(), &users, &rooms)
        };
        let devices = users.iter().flat_map(|user| (0..scale.devices).map(move |number| (user, number)));
        Self {
            devices: devices.map(|(user, number)| device(user, number)).collect(),
            services: (0..scale.services).map(|number| format!("service-{number}")).collect(),
            users,
            rooms,
        }
    }

    /// Starts all of them; gives the number that are still busy.
    fn begin_episode(&self, environment: &Rc<Environment>, episode: u64) -> Rc<Cell<u64>> {
        let busy = Rc::new(Cell::new(0));
        for device in &self.devices {
            start(environment, &busy, device.name().to_owned(), Rc::clone(device).live());
        }
        for name in &self.services {
            let service = Service {
                environment: Rc::clone(environment),
                name: name.clone(),
                episode,
                users: self.users.clone(),
                rooms: self.rooms.clone(),
            };
            start(environment, &busy, name.clone(), service.run());
        }
        start(environment, &busy, "operator".to_owned(), operator::run(Rc::clone(environment), self.rooms.clone()));
        busy
    }
}

fn start(environment: &Environment, busy: &Rc<Cell<u64>>, label: String, life: impl Future<Output = ()> + 'static) {
    busy.set(busy.get() + 1);
    let busy = Rc::clone(busy);
    environment.scheduler.spawn(label, async move {
        life.await;
        busy.set(busy.get() - 1);
    });
}
