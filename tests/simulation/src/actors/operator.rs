//! An operator, and the network: stops executions, erases channels, puts dead letters back, cuts sockets.

use std::rc::Rc;

use futures::executor::block_on;
use hubbub_core::ports::Log;
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::{Epoch, RoomId};

use crate::environment::{Environment, redrive};
use crate::workflows;

pub(crate) async fn run(environment: Rc<Environment>, rooms: Vec<RoomId>) {
    let scheduler = &environment.scheduler;
    for _ in 0..environment.scale.actions {
        scheduler.sleep(scheduler.below(20_000)).await;
        match scheduler.below(4) {
            0 => redrive(&environment),
            1 if environment.scale.has_stops => {
                if let Some(lease) = scheduler.pick(&environment.workflows.running()) {
                    workflows::stop(&environment, lease);
                }
            }
            2 if environment.scale.has_erasures => {
                if let Some(room) = scheduler.pick(&rooms) {
                    erase(&environment, &Channel::Room(room.clone()));
                }
            }
            3 if scheduler.faults().post > 0 => {
                if let Some(socket) = scheduler.pick(&environment.sockets.all_open()) {
                    scheduler.note(|| format!("cut {}", socket.id));
                    socket.close();
                }
            }
            _ => {}
        }
    }
}

fn erase(environment: &Environment, channel: &Channel) {
    let Ok(Some(state)) = block_on(environment.store.state(channel)) else { return };
    environment.scheduler.note(|| format!("erase {channel}"));
    environment.record.erase(channel, state.epoch);
    environment.store.erase(channel, Epoch::new(format!("erased-{}", environment.scheduler.fresh())));
}
