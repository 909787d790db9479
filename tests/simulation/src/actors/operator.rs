//! An operator, and the network: stops executions, erases channels, puts dead letters back, cuts sockets.

use std::rc::Rc;

use futures::executor::block_on;
use hubbub_core::channel::Channel;
use hubbub_core::id::{Epoch, RoomId};
use hubbub_core::ports::Log;

use crate::workflows;
use crate::world::{World, redrive};

/// Does something so many times.
pub(crate) async fn run(world: Rc<World>, rooms: Vec<RoomId>) {
    let scheduler = &world.scheduler;
    for _ in 0..world.scale.actions {
        scheduler.sleep(scheduler.below(20_000)).await;
        match scheduler.below(4) {
            0 => redrive(&world),
            1 if world.scale.has_stops => {
                if let Some(lease) = scheduler.pick(&world.workflows.running()) {
                    workflows::stop(&world, lease);
                }
            }
            2 if world.scale.has_erasures => {
                if let Some(room) = scheduler.pick(&rooms) {
                    erase(&world, &Channel::Room(room.clone()));
                }
            }
            3 if scheduler.faults().post > 0 => {
                if let Some(socket) = scheduler.pick(&world.sockets.all_open()) {
                    scheduler.note(|| format!("cut {}", socket.id));
                    socket.close();
                }
            }
            _ => {}
        }
    }
}

fn erase(world: &World, channel: &Channel) {
    let Ok(Some(state)) = block_on(world.store.state(channel)) else { return };
    world.scheduler.note(|| format!("erase {channel}"));
    world.ledger.erase(channel, state.epoch);
    world.store.erase(channel, Epoch::new(format!("erased-{}", world.scheduler.fresh())));
}
