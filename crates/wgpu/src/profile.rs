//! What launches cost: the host's time to encode them, and the GPU's, where it tells when a pass began and ended.

use std::time::Instant;

use stylegan_tensor::{Cost, Costs, DType, Kernel, Shape, View};

/// Launches that share a set of queries.
const LAUNCHES: usize = 256;

const BYTES: u64 = 2 * 8 * LAUNCHES as u64;

/// Launches that were counted, and the queries of those that were not sent yet.
pub(crate) struct Profile {
    device: wgpu::Device,
    /// Where the GPU writes its clock, and the buffer through which that leaves; `None` where it has no clock.
    queries: Option<(wgpu::QuerySet, wgpu::Buffer)>,
    /// Nanoseconds of a tick of the clock.
    period: f32,
    is_on: bool,
    waiting: Vec<Launched>,
    sent: Vec<Sent>,
    submissions: Submissions,
}

/// One launch: what it was, and what the host spent on it.
struct Launched {
    kernel: Kernel,
    inputs: Vec<(Shape, DType)>,
    outs: Vec<(Shape, DType)>,
    host_nanoseconds: u64,
}

/// Launches of one submission, and where their times will be.
struct Sent {
    launches: Vec<Launched>,
    times: Option<wgpu::Buffer>,
}

#[derive(Default)]
struct Submissions {
    count: u64,
    dispatches: u64,
    nanoseconds: u64,
}

/// Costs that can be read when everything that was sent has run.
pub(crate) struct Report {
    sent: Vec<Sent>,
    submissions: Submissions,
    period: f32,
}

impl Profile {
    pub fn new(device: &wgpu::Device, queue: &wgpu::Queue) -> Self {
        Self {
            period: queue.get_timestamp_period(),
            device: device.clone(),
            queries: None,
            is_on: false,
            waiting: Vec::new(),
            sent: Vec::new(),
            submissions: Submissions::default(),
        }
    }

    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether what waits must be sent before the next launch.
    pub fn is_full(&self) -> bool {
        self.waiting.len() == LAUNCHES
    }

    pub fn turn(&mut self, on: bool) {
        self.is_on = on;
        let can_tell = self.device.features().contains(wgpu::Features::TIMESTAMP_QUERY);
        self.queries = (on && can_tell).then(|| {
            let set = self.device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("profile"),
                ty: wgpu::QueryType::Timestamp,
                count: 2 * LAUNCHES as u32,
            });
            let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
            (set, self.buffer(usage))
        });
    }

    fn buffer(&self, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("profile"),
            size: BYTES,
            usage,
            mapped_at_creation: false,
        })
    }

    /// A pass for the next launch alone, between two looks at the clock.
    pub fn pass(&self, encoder: &mut wgpu::CommandEncoder) -> wgpu::ComputePass<'static> {
        let first = 2 * self.waiting.len() as u32;
        let timestamp_writes = self.queries.as_ref().map(|(query_set, _)| wgpu::ComputePassTimestampWrites {
            query_set,
            beginning_of_pass_write_index: Some(first),
            end_of_pass_write_index: Some(first + 1),
        });
        let descriptor = wgpu::ComputePassDescriptor { label: None, timestamp_writes };
        encoder.begin_compute_pass(&descriptor).forget_lifetime()
    }

    /// Notes the launch of the last pass.
    pub fn launched(&mut self, kernel: Kernel, inputs: &[&View], outs: &[&View], began: Instant) {
        let operands = |views: &[&View]| {
            let operand = |view: &&View| (view.shape.clone(), view.storage.dtype());
            views.iter().map(operand).collect()
        };
        self.waiting.push(Launched {
            kernel,
            inputs: operands(inputs),
            outs: operands(outs),
            host_nanoseconds: began.elapsed().as_nanos() as u64,
        });
    }

    /// Has the times of what waits copied out behind it.
    pub fn resolve(&mut self, encoder: &mut wgpu::CommandEncoder) {
        if self.waiting.is_empty() {
            return;
        }
        let times = self.queries.as_ref().map(|(set, resolved)| {
            let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
            let times = self.buffer(usage);
            let count = 2 * self.waiting.len() as u32;
            encoder.resolve_query_set(set, 0..count, resolved, 0);
            encoder.copy_buffer_to_buffer(resolved, 0, &times, 0, u64::from(count) * 8);
            times
        });
        let launches = std::mem::take(&mut self.waiting);
        self.sent.push(Sent { launches, times });
    }

    pub fn submitted(&mut self, dispatches: usize, began: Instant) {
        if !self.is_on || dispatches == 0 {
            return;
        }
        self.submissions.count += 1;
        self.submissions.dispatches += dispatches as u64;
        self.submissions.nanoseconds += began.elapsed().as_nanos() as u64;
    }

    /// What was counted since the last call.
    pub fn take(&mut self) -> Report {
        Report {
            sent: std::mem::take(&mut self.sent),
            submissions: std::mem::take(&mut self.submissions),
            period: self.period,
        }
    }
}

impl Report {
    /// The sums; last, as if they were kernels, the dispatches that launches were made of (`dispatch`) and the submissions they
    /// were sent in (`submit`). `read` gives the bytes of a buffer.
    pub fn sums(self, read: impl Fn(&wgpu::Buffer) -> Vec<u8>) -> Vec<Cost> {
        let mut costs = Costs::default();
        for Sent { launches, times } in self.sent {
            let bytes = times.as_ref().map(&read).unwrap_or_default();
            let mut clock = bytes.chunks_exact(8).map(bytemuck::pod_read_unaligned::<u64>);
            for launch in launches {
                let ticks = match (clock.next(), clock.next()) {
                    (Some(began), Some(ended)) => ended.saturating_sub(began),
                    _ => 0,
                };
                let spent = (ticks as f64 * f64::from(self.period)) as u64;
                let [inputs, outs] = [&launch.inputs, &launch.outs].map(|operands| {
                    let operands = operands.iter();
                    operands.map(|(shape, dtype)| (shape, *dtype)).collect::<Vec<_>>()
                });
                costs.add(&launch.kernel, &inputs, &outs, spent, launch.host_nanoseconds);
            }
        }
        let mut sums = costs.take();
        let Submissions { count, dispatches, nanoseconds } = self.submissions;
        for (kernel, launches, host_nanoseconds) in [("dispatch", dispatches, 0), ("submit", count, nanoseconds)] {
            if launches > 0 {
                sums.push(Cost {
                    kernel,
                    shapes: String::new(),
                    launches,
                    nanoseconds: 0,
                    host_nanoseconds,
                    flop: 0,
                    bytes: 0,
                });
            }
        }
        sums
    }
}
