//! The time in which operations count.

use std::time::{Duration, Instant};

/// The warm-up time of connections.
const WARM_UP: Duration = Duration::from_millis(200);

/// Returns the processor time that the balancer has used so far.
type Cpu<'a> = &'a dyn Fn() -> Duration;

/// The operations of a window.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// Operations: messages, connections or bytes.
    pub(crate) operations: u64,
    /// The length of the window.
    pub(crate) elapsed: Duration,
    /// Processor time of the balancer.
    pub(crate) cpu: Duration,
}

/// The time in which operations count; before it is the warm-up.
pub(crate) struct Window<'a> {
    cpu: Cpu<'a>,
    length: Duration,
    begins: Instant,
    open: Option<Open>,
    operations: u64,
}

/// When the window was opened.
#[derive(Clone, Copy)]
struct Open {
    at: Instant,
    cpu: Duration,
}

impl Sample {
    /// Processor time of the balancer per operation, in µs.
    #[expect(clippy::cast_precision_loss, reason = "never so many")]
    pub(crate) fn cpu_each(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.operations.max(1) as f64
    }

    /// Operations per second.
    #[expect(clippy::cast_precision_loss, reason = "never so many")]
    pub(crate) fn rate(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

impl<'a> Window<'a> {
    /// A window of `length` that begins after the warm-up.
    pub(crate) fn new(length: Duration, cpu: Cpu<'a>) -> Window<'a> {
        Window {
            cpu,
            length,
            begins: Instant::now() + WARM_UP,
            open: None,
            operations: 0,
        }
    }

    /// A window of `length` that begins at once.
    pub(crate) fn cold(length: Duration, cpu: Cpu<'a>) -> Window<'a> {
        Window {
            begins: Instant::now(),
            ..Window::new(length, cpu)
        }
    }

    /// Counts operations if the window is open.
    pub(crate) fn count(&mut self, operations: usize) {
        if self.open.is_some() {
            self.operations += operations as u64;
        }
    }

    /// Reads the clock. After the end of the window: the operations in it.
    pub(crate) fn tick(&mut self) -> Option<Sample> {
        let now = Instant::now();
        match self.open {
            None if now >= self.begins => {
                self.open = Some(Open {
                    at: now,
                    cpu: (self.cpu)(),
                });
                None
            }
            Some(open) if now >= open.at + self.length => Some(Sample {
                operations: self.operations,
                elapsed: now - open.at,
                cpu: (self.cpu)().saturating_sub(open.cpu),
            }),
            _ => None,
        }
    }
}
