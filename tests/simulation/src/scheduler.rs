//! A single-threaded executor in which a seed decides the order of steps, the crashes and the time.
//!
//! Tasks are ordinary futures. They stop at each [`Scheduler::pause`], which the ports call before and after every effect, so that any
//! other task may go on in between, and so that a function may be dropped there: that is its crash. Time is a number that moves a
//! little with each step, leaps now and then, and leaps to the next alarm when nothing else can be done.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures::future::{Either, select};

use crate::faults::Faults;
use crate::random::Random;

/// When a run begins, in milliseconds since 1970.
const BEGINNING: u64 = 1_700_000_000_000;

/// The most steps of a run; one that goes on for longer will never come to rest.
const MAX_STEPS: u64 = 1_000_000;

/// The denominator of all chances.
pub(crate) const PARTS: u64 = 10_000;

/// A task's number.
pub(crate) type TaskId = u64;

/// What the tasks of a run share: the seed's numbers, the time, and the list of tasks that have been started.
#[derive(Clone)]
pub(crate) struct Scheduler(Rc<Shared>);

struct Shared {
    random: RefCell<Random>,
    now: Cell<u64>,
    faults: Cell<Faults>,
    pace: Cell<u64>,
    last_number: Cell<u64>,
    started: RefCell<Vec<Task>>,
    stopped: RefCell<BTreeSet<TaskId>>,
    alarms: RefCell<BTreeMap<(u64, u64), Waker>>,
    current: RefCell<Rc<str>>,
    trace: Option<RefCell<Vec<String>>>,
}

struct Task {
    id: TaskId,
    label: Rc<str>,
    future: Pin<Box<dyn Future<Output = ()>>>,
    wanted: Arc<Wanted>,
    /// A function may crash, and is stopped at this moment; nothing else may and is.
    deadline: Option<u64>,
    /// It doesn't go on before.
    frozen_until: u64,
}

/// Whether a task has asked to go on.
struct Wanted(AtomicBool);

impl Wake for Wanted {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Scheduler {
    fn new(seed: u64, is_traced: bool) -> Self {
        Self(Rc::new(Shared {
            random: RefCell::new(Random::new(seed)),
            now: Cell::new(BEGINNING),
            faults: Cell::new(Faults::default()),
            pace: Cell::new(1),
            last_number: Cell::new(0),
            started: RefCell::default(),
            stopped: RefCell::default(),
            alarms: RefCell::default(),
            current: RefCell::new(Rc::from("environment")),
            trace: is_traced.then(RefCell::default),
        }))
    }

    /// Now, in milliseconds.
    pub(crate) fn now(&self) -> u64 {
        self.0.now.get()
    }

    /// What goes wrong at present.
    pub(crate) fn faults(&self) -> Faults {
        self.0.faults.get()
    }

    /// Sets what goes wrong from now on.
    pub(crate) fn set_faults(&self, faults: Faults) {
        self.0.faults.set(faults);
    }

    /// Sets how many milliseconds a step takes, up to this and without it.
    pub(crate) fn set_pace(&self, pace: u64) {
        self.0.pace.set(pace);
    }

    /// A number from 0 up to `limit`, without it.
    pub(crate) fn below(&self, limit: u64) -> u64 {
        self.0.random.borrow_mut().below(limit)
    }

    /// Whether something with a chance of `parts` in [`PARTS`] happens. A chance of 0 draws no number.
    pub(crate) fn happens(&self, parts: u64) -> bool {
        parts > 0 && self.below(PARTS) < parts
    }

    /// One of several things.
    pub(crate) fn pick<'a, T>(&self, things: &'a [T]) -> Option<&'a T> {
        things.get(usize::try_from(self.below(things.len() as u64)).unwrap_or_default())
    }

    /// A number that no other call has given.
    pub(crate) fn fresh(&self) -> u64 {
        let number = self.0.last_number.get() + 1;
        self.0.last_number.set(number);
        number
    }

    /// Writes a line into the trace, if there is one.
    pub(crate) fn note(&self, line: impl FnOnce() -> String) {
        if let Some(trace) = &self.0.trace {
            let line = format!("{:>10} {:<28} {}", self.now() - BEGINNING, self.0.current.borrow(), line());
            trace.borrow_mut().push(line);
        }
    }

    /// Lets others go on, once or a few times.
    pub(crate) async fn pause(&self) {
        let mut turns = if self.below(4) == 0 { 1 + self.below(4) } else { 1 };
        poll_fn(|context| {
            if turns == 0 {
                return Poll::Ready(());
            }
            turns -= 1;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// Waits for a moment.
    pub(crate) async fn sleep_until(&self, moment: u64) {
        let alarm = Alarm { scheduler: self, key: (moment, self.fresh()) };
        poll_fn(|context| {
            if self.now() >= moment {
                return Poll::Ready(());
            }
            self.0.alarms.borrow_mut().insert(alarm.key, context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Waits for a while, in milliseconds.
    pub(crate) async fn sleep(&self, milliseconds: u64) {
        self.sleep_until(self.now() + milliseconds).await;
    }

    /// The future's output, if it comes within this time.
    pub(crate) async fn within<T>(&self, milliseconds: u64, future: impl Future<Output = T>) -> Option<T> {
        match select(pin!(future), pin!(self.sleep(milliseconds))).await {
            Either::Left((value, _)) => Some(value),
            Either::Right(_) => None,
        }
    }

    /// Starts a task that never crashes: an actor, or a part of AWS.
    pub(crate) fn spawn(&self, label: impl Into<Rc<str>>, future: impl Future<Output = ()> + 'static) -> TaskId {
        self.start(label.into(), None, Box::pin(future))
    }

    /// Starts a function, which may crash at any pause, and is stopped after `timeout` milliseconds.
    pub(crate) fn invoke<T: 'static>(
        &self,
        label: impl Into<Rc<str>>,
        timeout: u64,
        future: impl Future<Output = T> + 'static,
    ) -> Outcome<T> {
        let outcome = Outcome(Rc::new(Due { value: RefCell::new(None), signal: Signal::default() }));
        let promise = Promise(Rc::clone(&outcome.0));
        let work = async move {
            let promise = promise;
            let value = future.await;
            promise.0.value.replace(Some(Some(value)));
        };
        self.start(label.into(), Some(self.now() + timeout), Box::pin(work));
        outcome
    }

    fn start(&self, label: Rc<str>, deadline: Option<u64>, future: Pin<Box<dyn Future<Output = ()>>>) -> TaskId {
        let id = self.fresh();
        let wanted = Arc::new(Wanted(AtomicBool::new(true)));
        self.0.started.borrow_mut().push(Task { id, label, future, wanted, deadline, frozen_until: 0 });
        id
    }

    /// Ends a task at its next pause.
    pub(crate) fn stop(&self, task: TaskId) {
        self.0.stopped.borrow_mut().insert(task);
    }
}

/// Taken down with the future that set it.
struct Alarm<'a> {
    scheduler: &'a Scheduler,
    key: (u64, u64),
}

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        self.scheduler.0.alarms.borrow_mut().remove(&self.key);
    }
}

struct Due<T> {
    /// Nothing yet; then what the function gave, or nothing where it crashed.
    value: RefCell<Option<Option<T>>>,
    signal: Signal,
}

/// What a function will have given: nothing where it crashed.
pub(crate) struct Outcome<T>(Rc<Due<T>>);

impl<T> Outcome<T> {
    /// Waits for the function's end.
    pub(crate) async fn end(self) -> Option<T> {
        loop {
            if let Some(value) = self.0.value.take() {
                return value;
            }
            self.0.signal.wait().await;
        }
    }
}

/// Dropped with its function, whichever way that ends.
struct Promise<T>(Rc<Due<T>>);

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        self.0.value.borrow_mut().get_or_insert(None);
        self.0.signal.notify();
    }
}

/// Tells tasks that something has changed. A task looks before it waits: nothing can happen between the look and the wait.
#[derive(Default)]
pub(crate) struct Signal(RefCell<Vec<Waker>>);

impl Signal {
    pub(crate) fn notify(&self) {
        self.0.take().into_iter().for_each(Waker::wake);
    }

    pub(crate) async fn wait(&self) {
        let mut is_registered = false;
        poll_fn(|context| {
            if is_registered {
                return Poll::Ready(());
            }
            is_registered = true;
            self.0.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Why a run's part has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// What was waited for is there.
    Reached,
    /// Nothing can go on, now or later.
    AtRest,
    /// It goes on and on.
    Restless,
}

/// Runs the tasks.
pub(crate) struct Executor {
    scheduler: Scheduler,
    tasks: Vec<Task>,
    steps: u64,
}

impl Executor {
    pub(crate) fn new(seed: u64, is_traced: bool) -> Self {
        Self { scheduler: Scheduler::new(seed, is_traced), tasks: Vec::new(), steps: 0 }
    }

    pub(crate) fn scheduler(&self) -> Scheduler {
        self.scheduler.clone()
    }

    /// How many steps were taken.
    pub(crate) const fn steps(&self) -> u64 {
        self.steps
    }

    /// The lines of the trace.
    pub(crate) fn trace(&self) -> Vec<String> {
        self.scheduler.0.trace.as_ref().map(RefCell::take).unwrap_or_default()
    }

    /// Goes on until `is_reached`, or until nothing can go on.
    pub(crate) fn run(&mut self, is_reached: impl Fn() -> bool) -> End {
        loop {
            if is_reached() {
                return End::Reached;
            }
            if self.steps >= MAX_STEPS {
                return End::Restless;
            }
            if !self.step() {
                return End::AtRest;
            }
        }
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, milliseconds: u64) -> End {
        let scheduler = self.scheduler();
        let end = scheduler.now() + milliseconds;
        scheduler.spawn("time", {
            let scheduler = scheduler.clone();
            async move { scheduler.sleep_until(end).await }
        });
        self.run(|| scheduler.now() >= end)
    }

    /// One step of one task. Whether there was one, or may be one later.
    fn step(&mut self) -> bool {
        self.take_in_and_out();
        let now = self.scheduler.now();
        let ready: Vec<usize> = self
            .tasks
            .iter()
            .enumerate()
            .filter(|(_, task)| task.frozen_until <= now && task.wanted.0.load(Ordering::Relaxed))
            .map(|(index, _)| index)
            .collect();
        let Some(index) = self.scheduler.pick(&ready).copied() else {
            return self.leap_to_next_event();
        };
        self.steps += 1;
        self.interfere(index);
        let now = self.scheduler.now();
        if let Some(task) = self.tasks.get_mut(index)
            && task.frozen_until <= now
        {
            task.wanted.0.store(false, Ordering::Relaxed);
            self.scheduler.0.current.replace(Rc::clone(&task.label));
            let waker = Waker::from(Arc::clone(&task.wanted));
            if task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                self.tasks.remove(index);
            }
        }
        self.set_time(self.scheduler.now() + self.scheduler.below(self.scheduler.0.pace.get()));
        true
    }

    /// Takes in the tasks that were started, and out those that were stopped or have come to their deadline.
    fn take_in_and_out(&mut self) {
        self.tasks.append(&mut self.scheduler.0.started.borrow_mut());
        let stopped = self.scheduler.0.stopped.take();
        let now = self.scheduler.now();
        let is_over = |task: &Task| task.deadline.is_some_and(|deadline| deadline <= now) || stopped.contains(&task.id);
        if self.tasks.iter().any(is_over) {
            for task in self.tasks.extract_if(.., |task| is_over(task)) {
                self.scheduler.0.current.replace(Rc::clone(&task.label));
                self.scheduler.note(|| "stopped".to_owned());
            }
        }
    }

    /// What may happen instead of a task's step: a crash, a standstill, a leap of time.
    fn interfere(&mut self, index: usize) {
        let faults = self.scheduler.faults();
        let is_function = self.tasks.get(index).is_some_and(|task| task.deadline.is_some());
        if is_function && self.scheduler.happens(faults.crash) {
            // At its next look at the tasks, the scheduler drops it.
            if let Some(task) = self.tasks.get_mut(index) {
                task.deadline = Some(0);
                task.frozen_until = u64::MAX;
                self.scheduler.0.current.replace(Rc::clone(&task.label));
                self.scheduler.note(|| "crash".to_owned());
            }
        } else if is_function && self.scheduler.happens(faults.freeze) {
            let until = self.scheduler.now() + self.some_while();
            if let Some(task) = self.tasks.get_mut(index) {
                task.frozen_until = until;
                self.scheduler.0.current.replace(Rc::clone(&task.label));
                self.scheduler.note(|| format!("stands still until {}", until - BEGINNING));
            }
        } else if self.scheduler.happens(faults.leap) {
            self.set_time(self.scheduler.now() + self.some_while());
        }
    }

    /// From a tenth of a second to a hundred seconds, short ones as often as long ones.
    fn some_while(&self) -> u64 {
        let longest = [1_000, 10_000, 100_000].get(usize::try_from(self.scheduler.below(3)).unwrap_or_default());
        self.scheduler.below(longest.copied().unwrap_or_default())
    }

    /// Nothing can go on: the next alarm, thaw or deadline is the next thing that happens. Whether there is one.
    fn leap_to_next_event(&self) -> bool {
        let alarm = self.scheduler.0.alarms.borrow().keys().next().map(|(moment, _)| *moment);
        let thaws =
            self.tasks.iter().filter(|task| task.wanted.0.load(Ordering::Relaxed)).map(|task| task.frozen_until);
        let deadlines = self.tasks.iter().filter_map(|task| task.deadline);
        let Some(moment) = alarm.into_iter().chain(thaws).chain(deadlines).min() else {
            return !self.scheduler.0.started.borrow().is_empty();
        };
        self.set_time(moment.max(self.scheduler.now()));
        true
    }

    fn set_time(&self, now: u64) {
        self.scheduler.0.now.set(now);
        let mut alarms = self.scheduler.0.alarms.borrow_mut();
        while let Some(entry) = alarms.first_entry() {
            if entry.key().0 > now {
                break;
            }
            entry.remove().wake();
        }
    }
}
