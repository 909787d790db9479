//! The load: how many clients, services and rooms there are, and how often something happens.

use std::time::Duration;

use fastrand::Rng;
use hubbub_client::Channel;

/// The room that every client joins; it has enough members for the state machine. Fewer messages go to it than to other rooms: the local AWS
/// reads a whole log to find its end, once for each member.
pub(crate) const LARGE_ROOM: &str = "large";

/// Clients for each of the other rooms, about.
const CLIENTS_PER_ROOM: u32 = 8;

/// Services that send to the queue.
pub(crate) const SERVICES: u32 = 2;

/// The services' share of all messages, in percent.
const SERVICE_SHARE: u32 = 20;

/// Its size, from which everything else follows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) clients: u32,
    /// Messages a second, about.
    pub(crate) rate: u32,
}

impl Load {
    pub(crate) fn user(number: u32) -> String {
        format!("user-{number:05}")
    }

    pub(crate) fn random_user(&self, rng: &mut Rng) -> String {
        Self::user(rng.u32(..self.clients))
    }

    /// Any room but the large one.
    pub(crate) fn random_room(&self, rng: &mut Rng) -> String {
        format!("room-{:03}", rng.u32(..self.rooms()))
    }

    fn rooms(&self) -> u32 {
        (self.clients / CLIENTS_PER_ROOM).max(2)
    }

    /// All channels that may have been used.
    pub(crate) fn channels(&self) -> Vec<Channel> {
        let rooms = (0..self.rooms()).map(|number| Channel::room(format!("room-{number:03}")));
        let users = (0..self.clients).map(|number| Channel::user(Self::user(number)));
        [Channel::Everyone, Channel::room(LARGE_ROOM)].into_iter().chain(rooms).chain(users).collect()
    }

    /// Where a service sends to: mostly rooms, then single users, now and then everyone.
    pub(crate) fn random_channel(&self, rng: &mut Rng) -> Channel {
        match rng.u32(..100) {
            0..70 => Channel::room(self.random_room(rng)),
            70..77 => Channel::room(LARGE_ROOM),
            77..97 => Channel::user(self.random_user(rng)),
            _ => Channel::Everyone,
        }
    }

    /// The average time between two messages of a client.
    pub(crate) fn client_pause(&self) -> Duration {
        Self::pause(self.clients, self.rate * (100 - SERVICE_SHARE))
    }

    /// The average time between two messages of a service.
    pub(crate) fn service_pause(&self) -> Duration {
        Self::pause(SERVICES, self.rate * SERVICE_SHARE)
    }

    fn pause(senders: u32, hundredths_a_second: u32) -> Duration {
        Duration::from_secs_f64(f64::from(senders) * 100.0 / f64::from(hundredths_a_second))
    }
}

/// An exponentially distributed time with this average, as between independent events.
pub(crate) fn random_pause(average: Duration, rng: &mut Rng) -> Duration {
    // A draw is below 1, so that the logarithm is finite.
    average.mul_f64(-(1.0 - rng.f64()).ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_of_all_senders_add_up_to_the_rate() {
        let load = Load { clients: 200, rate: 20 };
        let rate = 200.0 / load.client_pause().as_secs_f64() + f64::from(SERVICES) / load.service_pause().as_secs_f64();
        assert!((rate - 20.0).abs() < 1e-6, "{rate}");
    }

    #[test]
    fn random_pauses_follow_from_the_seed_and_keep_the_average() {
        let draw = |seed| {
            let mut rng = Rng::with_seed(seed);
            (0..10_000).map(|_| random_pause(Duration::from_secs(1), &mut rng)).sum::<Duration>()
        };
        assert_eq!(draw(7), draw(7));
        let average = draw(7).as_secs_f64() / 10_000.0;
        assert!((0.95..1.05).contains(&average), "{average}");
    }

    #[test]
    fn random_channel_is_among_the_channels() {
        let load = Load { clients: 30, rate: 20 };
        let (all, mut rng) = (load.channels(), Rng::with_seed(1));
        assert!((0..1_000).all(|_| all.contains(&load.random_channel(&mut rng))));
    }
}
