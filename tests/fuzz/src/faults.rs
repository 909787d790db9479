//! Which effects go wrong.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// How an effect goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It doesn't happen, and says so.
    Refused,
    /// It happens, and says that it didn't.
    Lost,
}

/// Which effects go wrong, by their number, from 0. Clones share their count.
#[derive(Clone, Debug, Default)]
pub struct Faults(Rc<RefCell<Plan>>);

#[derive(Debug, Default)]
struct Plan {
    at: BTreeMap<usize, Fault>,
    next: usize,
    met: Vec<&'static str>,
    current: Option<Fault>,
}

impl Faults {
    /// These effects go wrong, and no others. The count begins anew.
    pub fn set(&self, at: impl IntoIterator<Item = (usize, Fault)>) {
        *self.0.borrow_mut() = Plan { at: at.into_iter().collect(), ..Plan::default() };
    }

    /// Everything works from now on.
    pub fn clear(&self) {
        self.0.borrow_mut().at.clear();
    }

    /// The operations that have gone wrong, in their order.
    #[must_use]
    pub fn met(&self) -> Vec<&'static str> {
        self.0.borrow().met.clone()
    }

    /// An effect begins; how it goes wrong.
    pub(crate) fn begin(&self, operation: &'static str) -> Option<Fault> {
        let mut plan = self.0.borrow_mut();
        let number = plan.next;
        plan.next += 1;
        let fault = plan.at.get(&number).copied();
        plan.met.extend(fault.map(|_| operation));
        plan.current = fault;
        fault
    }

    /// The effect that began has happened; how it goes wrong.
    pub(crate) fn end(&self) -> Option<Fault> {
        self.0.borrow_mut().current.take()
    }
}
