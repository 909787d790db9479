//! One run: a world, its chaos, its rest, and the verdict.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use hubbub_core::id::{RoomId, UserId};

use crate::actors::device::Device;
use crate::actors::{operator, service};
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

fn play(executor: &mut Executor, world: &Rc<World>) -> Result<(), String> {
    let scheduler = &world.scheduler;
    let (devices, busy) = begin(world);
    scheduler.set_faults(world.scale.faults);
    let is_broken = || world.ledger.books().violation.is_some();
    rest(world, executor.run(|| busy.get() == 0 || is_broken()))?;

    scheduler.note(|| "faults stop".to_owned());
    scheduler.set_faults(Faults::default());
    loop {
        rest(world, executor.run(is_broken))?;
        if !world.queue.has_given_up() {
            break;
        }
        redrive(world);
    }
    check::at_rest(world)?;

    // Leases end, and SQS forgets the wakes that it has seen.
    scheduler.note(|| "everyone comes home".to_owned());
    rest(world, executor.wait(DEDUPLICATION + 1))?;
    for device in &devices {
        scheduler.spawn(format!("{} comes home", device.name()), Rc::clone(device).come_home());
    }
    rest(world, executor.run(is_broken))?;
    check::after_recovery(world, &devices)
}

/// Goes on, unless the run has shown what it must not.
fn rest(world: &World, end: End) -> Result<(), String> {
    match (&world.ledger.books().violation, end) {
        (Some(violation), _) => Err(violation.clone()),
        (None, End::Restless) => Err("it never comes to rest".to_owned()),
        (None, End::Reached | End::AtRest) => Ok(()),
    }
}

/// Starts everybody; the devices, and how many are still busy.
fn begin(world: &Rc<World>) -> (Vec<Rc<Device>>, Rc<Cell<u64>>) {
    let scheduler = &world.scheduler;
    let scale = &world.scale;
    let users: Vec<UserId> = (0..scale.users).filter_map(|number| UserId::parse(&format!("user-{number}")).ok()).collect();
    let rooms: Vec<RoomId> = (0..scale.rooms).filter_map(|number| RoomId::parse(&format!("room-{number}")).ok()).collect();
    let busy = Rc::new(Cell::new(0));
    let start = |label: String, life: std::pin::Pin<Box<dyn Future<Output = ()>>>| {
        busy.set(busy.get() + 1);
        let busy = Rc::clone(&busy);
        scheduler.spawn(label, async move {
            life.await;
            busy.set(busy.get() - 1);
        });
    };
    scheduler.spawn("queue", poll_queue(Rc::clone(world)));
    let mut devices = Vec::new();
    for user in &users {
        for number in 0..scale.devices {
            let device = Device::new(world, format!("{user}-device-{number}"), user.clone(), &users, &rooms);
            start(device.name().to_owned(), Box::pin(Rc::clone(&device).live()));
            devices.push(device);
        }
    }
    for number in 0..scale.services {
        let name = format!("service-{number}");
        start(name.clone(), Box::pin(service::run(Rc::clone(world), name, users.clone(), rooms.clone())));
    }
    start("operator".to_owned(), Box::pin(operator::run(Rc::clone(world), rooms.clone())));
    (devices, busy)
}
