//! Who and what there is: people, services, rooms, and how often things happen.

use std::time::Duration;

use fastrand::Rng;
use hubbub_client::Channel;

/// The room that everybody joins, which is large enough for the state machine. Less is said there than elsewhere: the local AWS reads a
/// whole log to find its end, for each of so many members.
const PLAZA: &str = "plaza";

/// People for each of the other rooms, about.
const PEOPLE_PER_ROOM: u32 = 8;

/// Services that send to the queue.
pub(crate) const SERVICES: u32 = 2;

/// Of a hundred messages, so many are the services'.
const SERVICE_SHARE: u32 = 20;

/// The size of the town, from which everything else follows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Town {
    /// How many people there are.
    pub(crate) people: u32,
    /// Messages a second, about.
    pub(crate) rate: u32,
}

impl Town {
    /// A person's user id.
    pub(crate) fn user(number: u32) -> String {
        format!("person-{number:05}")
    }

    /// Any person's user id.
    pub(crate) fn any_user(&self, dice: &mut Rng) -> String {
        Self::user(dice.u32(..self.people))
    }

    /// The room that everybody joins first.
    pub(crate) const fn plaza() -> &'static str {
        PLAZA
    }

    /// The name of any room but the plaza.
    pub(crate) fn any_room(&self, dice: &mut Rng) -> String {
        format!("room-{:03}", dice.u32(..self.rooms()))
    }

    fn rooms(&self) -> u32 {
        (self.people / PEOPLE_PER_ROOM).max(2)
    }

    /// All channels that may have been used.
    pub(crate) fn channels(&self) -> Vec<Channel> {
        let rooms = (0..self.rooms()).map(|number| Channel::room(format!("room-{number:03}")));
        let users = (0..self.people).map(|number| Channel::user(Self::user(number)));
        [Channel::Everyone, Channel::room(PLAZA)].into_iter().chain(rooms).chain(users).collect()
    }

    /// What a service sends to: mostly rooms, then single users, now and then everyone.
    pub(crate) fn any_channel(&self, dice: &mut Rng) -> Channel {
        match dice.u32(..100) {
            0..70 => Channel::room(self.any_room(dice)),
            70..77 => Channel::room(PLAZA),
            77..97 => Channel::user(self.any_user(dice)),
            _ => Channel::Everyone,
        }
    }

    /// How long a person waits, on the average, between two messages.
    pub(crate) fn person_pause(&self) -> Duration {
        Self::pause(self.people, self.rate * (100 - SERVICE_SHARE))
    }

    /// How long a service waits, on the average, between two messages.
    pub(crate) fn service_pause(&self) -> Duration {
        Self::pause(SERVICES, self.rate * SERVICE_SHARE)
    }

    fn pause(senders: u32, hundredths_a_second: u32) -> Duration {
        Duration::from_secs_f64(f64::from(senders) * 100.0 / f64::from(hundredths_a_second))
    }
}

/// A random time with this average: what happens independently of everything else comes after such times.
pub(crate) fn around(average: Duration, dice: &mut Rng) -> Duration {
    // The logarithm of 0 has no end; a draw is below 1, so this is never that.
    average.mul_f64(-(1.0 - dice.f64()).ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_of_all_senders_make_up_the_rate() {
        let town = Town { people: 200, rate: 20 };
        let rate = 200.0 / town.person_pause().as_secs_f64() + f64::from(SERVICES) / town.service_pause().as_secs_f64();
        assert!((rate - 20.0).abs() < 1e-6, "{rate}");
    }

    #[test]
    fn the_same_seed_draws_the_same_and_averages_are_kept() {
        let draw = |seed| {
            let mut dice = Rng::with_seed(seed);
            (0..10_000).map(|_| around(Duration::from_secs(1), &mut dice)).sum::<Duration>()
        };
        assert_eq!(draw(7), draw(7));
        let average = draw(7).as_secs_f64() / 10_000.0;
        assert!((0.95..1.05).contains(&average), "{average}");
    }

    #[test]
    fn whatever_is_drawn_is_among_the_channels() {
        let town = Town { people: 30, rate: 20 };
        let (all, mut dice) = (town.channels(), Rng::with_seed(1));
        assert!((0..1_000).all(|_| all.contains(&town.any_channel(&mut dice))));
    }
}
