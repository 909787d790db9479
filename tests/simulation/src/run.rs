//! One run: a world, its chaos, its rest, and the verdict.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use hubbub_core::id::{RoomId, UserId};

use crate::actors::device::Device;
use crate::actors::operator;
use crate::actors::service::Service;
use crate::bug::Bug;
use crate::check;
use crate::faults::Faults;
use crate::scale::DEDUPLICATION;
use crate::scheduler::{End, Executor};
use crate::world::{World, poll_queue, redrive};

/// What a run has shown.
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

/// Runs the world of a seed. The same seed, with the same bug, is the same run.
#[must_use]
pub fn run(seed: u64, bug: Option<Bug>, is_traced: bool) -> Verdict {
    let mut executor = Executor::new(seed, is_traced);
    let world = World::new(&executor.scheduler(), bug);
    world.scheduler.note(|| format!("{:?}", world.scale));
    let violation = play(&mut executor, &world).err();
    if let Some(violation) = &violation {
        world.ledger.violate(violation.clone());
    }
    let figures = world.ledger.books().figures.clone();
    let violation = world.ledger.books().violation.clone();
    Verdict { seed, violation, steps: executor.steps(), figures, trace: executor.trace() }
}

/// How often everybody is busy and then comes to rest. Only the last message of a channel shows that nobody sends it, so that a few
/// short times find more than a long one.
const EPISODES: u64 = 3;

fn play(executor: &mut Executor, world: &Rc<World>) -> Result<(), String> {
    let scheduler = &world.scheduler;
    let is_broken = || world.ledger.books().violation.is_some();
    let cast = Cast::new(world);
    scheduler.set_pace(world.scale.pace);
    scheduler.spawn("queue", poll_queue(Rc::clone(world)));
    for episode in 0..EPISODES {
        scheduler.note(|| format!("episode {episode} begins"));
        scheduler.set_faults(world.scale.faults);
        let busy = cast.begin_episode(world, episode);
        rest(world, executor.run(|| busy.get() == 0 || is_broken()))?;
        scheduler.note(|| "faults stop".to_owned());
        scheduler.set_faults(Faults::default());
        rest(world, executor.run(is_broken))?;
        while world.queue.has_given_up() {
            redrive(world);
            rest(world, executor.run(is_broken))?;
        }
        check::at_rest(world)?;
        check::forgive(world);
    }

    // Leases end, and SQS forgets the wakes that it has seen.
    scheduler.note(|| "everyone comes home".to_owned());
    rest(world, executor.wait(DEDUPLICATION + 1))?;
    for device in &cast.devices {
        scheduler.spawn(format!("{} comes home", device.name()), Rc::clone(device).come_home());
    }
    rest(world, executor.run(is_broken))?;
    check::after_recovery(world, &cast.devices)
}

/// Goes on, unless the run has shown what it must not.
fn rest(world: &World, end: End) -> Result<(), String> {
    match (&world.ledger.books().violation, end) {
        (Some(violation), _) => Err(violation.clone()),
        (None, End::Restless) => Err("it never comes to rest".to_owned()),
        (None, End::Reached | End::AtRest) => Ok(()),
    }
}

/// Who does something.
struct Cast {
    devices: Vec<Rc<Device>>,
    services: Vec<String>,
    users: Vec<UserId>,
    rooms: Vec<RoomId>,
}

impl Cast {
    fn new(world: &Rc<World>) -> Self {
        let scale = &world.scale;
        let users: Vec<UserId> =
            (0..scale.users).filter_map(|number| UserId::parse(&format!("user-{number}")).ok()).collect();
        let rooms: Vec<RoomId> =
            (0..scale.rooms).filter_map(|number| RoomId::parse(&format!("room-{number}")).ok()).collect();
        let device =
            |user: &UserId, number| Device::new(world, format!("{user}-device-{number}"), user.clone(), &users, &rooms);
        let devices = users.iter().flat_map(|user| (0..scale.devices).map(move |number| (user, number)));
        Self {
            devices: devices.map(|(user, number)| device(user, number)).collect(),
            services: (0..scale.services).map(|number| format!("service-{number}")).collect(),
            users,
            rooms,
        }
    }

    /// Starts everybody; how many are still busy.
    fn begin_episode(&self, world: &Rc<World>, episode: u64) -> Rc<Cell<u64>> {
        let busy = Rc::new(Cell::new(0));
        for device in &self.devices {
            start(world, &busy, device.name().to_owned(), Rc::clone(device).live());
        }
        for name in &self.services {
            let service = Service {
                world: Rc::clone(world),
                name: name.clone(),
                episode,
                users: self.users.clone(),
                rooms: self.rooms.clone(),
            };
            start(world, &busy, name.clone(), service.run());
        }
        start(world, &busy, "operator".to_owned(), operator::run(Rc::clone(world), self.rooms.clone()));
        busy
    }
}

fn start(world: &World, busy: &Rc<Cell<u64>>, label: String, life: impl Future<Output = ()> + 'static) {
    busy.set(busy.get() + 1);
    let busy = Rc::clone(busy);
    world.scheduler.spawn(label, async move {
        life.await;
        busy.set(busy.get() - 1);
    });
}
