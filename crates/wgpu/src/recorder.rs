//! Dispatches on their way to the GPU: pipelines and bind groups are made once, command buffers sent many dispatches
//! at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use rustc_hash::FxHashMap;
use stylegan_tensor::{DType, Error, Result};

use crate::memory::{Pool, Slot};
use crate::pipelines::Pipelines;
use crate::profile::Profile;
use crate::shader::{IMMEDIATE_BYTES, MAX_CONSTANTS, Shader, form};

/// A range of a buffer as a kernel sees it.
#[derive(Clone)]
pub(crate) struct Binding {
    slot: Slot,
    offset: u64,
    bytes: u64,
    dtype: DType,
}

impl Binding {
    pub fn new(slot: &Slot, offset: usize, bytes: usize) -> Self {
        // A binding has room for a vector, also where the tensor has no element.
        let (offset, bytes) = if bytes == 0 { (0, 16) } else { (offset, bytes.next_multiple_of(4)) };
        Self { slot: slot.clone(), offset: offset as u64, bytes: bytes as u64, dtype: DType::F32 }
    }

    /// The same range with elements of another type than f32.
    pub fn of(self, dtype: DType) -> Self {
        Self { dtype, ..self }
    }

    /// How a kernel's named operand is stored, as a constant of its shader: f32 are read in vectors of `width`.
    pub fn form(&self, width: usize) -> u32 {
        match self.dtype {
            DType::BF16 => form::BF16,
            DType::F16 => form::F16,
            _ if width == 4 => form::VECTOR,
            _ => form::SCALAR,
        }
    }

    pub fn is_half(&self) -> bool {
        self.dtype.is_half()
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// One run of a shader.
pub(crate) struct Dispatch<'a> {
    pub shader: &'static Shader,
    pub constants: &'a [u32],
    pub inputs: &'a [&'a Binding],
    pub outs: &'a [&'a Binding],
    pub params: &'a [u32],
    pub groups: [u32; 3],
}

/// A shader by its address: all are statics.
type PipelineKey = (usize, [u32; MAX_CONSTANTS]);
/// How many operands are only read, and each operand's buffer, offset and size.
type GroupKey = (usize, [(u64, u64, u64); MAX_OPERANDS]);

/// Most operands of a shader.
const MAX_OPERANDS: usize = 6;

struct Layout {
    group: wgpu::BindGroupLayout,
    pipeline: wgpu::PipelineLayout,
}

/// Bind groups kept; a training step uses a few thousand.
const MAX_GROUPS: usize = 1 << 14;

/// Dispatches sent at once: enough to hide the cost of sending, few enough to keep the GPU busy meanwhile.
const BATCH: usize = 128;

/// Commands that were not sent yet, and everything that is kept between dispatches.
pub(crate) struct Recorder {
    device: wgpu::Device,
    queue: wgpu::Queue,
    pool: Arc<Pool>,
    limits: wgpu::Limits,
    generation: u64,
    layouts: FxHashMap<(usize, usize), Layout>,
    pipelines: FxHashMap<PipelineKey, wgpu::ComputePipeline>,
    kept: Option<Arc<Pipelines>>,
    /// Pipelines that were compiled so far.
    compiled: Arc<AtomicUsize>,
    groups: FxHashMap<GroupKey, wgpu::BindGroup>,
    // Declared before its encoder: a pass must end first.
    pass: Option<wgpu::ComputePass<'static>>,
    encoder: Option<wgpu::CommandEncoder>,
    waiting: usize,
    pub profile: Profile,
}

impl Recorder {
    pub fn new(
        device: wgpu::Device,
        queue: wgpu::Queue,
        pool: Arc<Pool>,
        kept: Option<Arc<Pipelines>>,
        compiled: Arc<AtomicUsize>,
    ) -> Self {
        Self {
            profile: Profile::new(&device, &queue),
            limits: device.limits(),
            device,
            queue,
            generation: pool.generation(),
            pool,
            layouts: FxHashMap::default(),
            pipelines: FxHashMap::default(),
            kept,
            compiled,
            groups: FxHashMap::default(),
            pass: None,
            encoder: None,
            waiting: 0,
        }
    }

    /// Enqueues a run of a shader.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`] if an operand is larger than one kernel can see, [`Error::Shape`] if there are more workgroups than
    /// the device counts.
    pub fn dispatch(&mut self, op: &'static str, job: &Dispatch) -> Result<()> {
        self.check(op, job)?;
        let mut constants = [0; MAX_CONSTANTS];
        constants[..job.constants.len()].copy_from_slice(job.constants);
        let pipeline = (std::ptr::from_ref(job.shader).addr(), constants);
        let shape = (job.inputs.len(), job.outs.len());
        let layout = self.layouts.entry(shape).or_insert_with(|| layout(&self.device, shape));
        let pipeline = self.pipelines.entry(pipeline).or_insert_with(|| {
            self.compiled.fetch_add(1, Ordering::Relaxed);
            let kept = self.kept.as_ref().map(|kept| kept.cache());
            compile(&self.device, layout, job, kept)
        });
        if self.generation != self.pool.generation() || self.groups.len() > MAX_GROUPS {
            // Bind groups would keep buffers alive that the pool has given up.
            self.groups.clear();
            self.generation = self.pool.generation();
        }
        let operands = || job.inputs.iter().chain(job.outs);
        let mut key = [(0, 0, 0); MAX_OPERANDS];
        for (place, b) in key.iter_mut().zip(operands()) {
            *place = (b.slot.id, b.offset, b.bytes);
        }
        let group = self
            .groups
            .entry((job.inputs.len(), key))
            .or_insert_with(|| bind(&self.device, &layout.group, operands().copied()));
        let encoder = self.encoder.get_or_insert_with(|| self.device.create_command_encoder(&Default::default()));
        let pass = self.pass.get_or_insert_with(|| encoder.begin_compute_pass(&Default::default()).forget_lifetime());
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &*group, &[]);
        let mut params = [0; IMMEDIATE_BYTES as usize / 4];
        params[..job.params.len()].copy_from_slice(job.params);
        pass.set_immediates(0, bytemuck::cast_slice(&params));
        let [x, y, z] = job.groups;
        pass.dispatch_workgroups(x, y, z);
        self.waiting += 1;
        Ok(())
    }

    /// Begins a pass whose time is measured.
    pub fn begin_timed(&mut self) {
        if self.profile.is_full() {
            self.flush();
        }
        self.pass = None;
        let encoder = self.encoder.get_or_insert_with(|| self.device.create_command_encoder(&Default::default()));
        self.pass = Some(self.profile.pass(encoder));
    }

    /// Ends what [`begin_timed`](Self::begin_timed) began.
    pub fn end_timed(&mut self) {
        self.pass = None;
    }

    fn check(&self, op: &'static str, job: &Dispatch) -> Result<()> {
        let limits = &self.limits;
        for operand in job.inputs.iter().chain(job.outs) {
            if operand.bytes > limits.max_storage_buffer_binding_size {
                return Err(Error::Memory {
                    op,
                    bytes: operand.bytes as usize,
                    live: self.pool.memory().live,
                    limit: limits.max_storage_buffer_binding_size as usize,
                });
            }
        }
        let most = limits.max_compute_workgroups_per_dimension;
        if job.groups.iter().any(|&groups| groups > most) {
            let groups = job.groups;
            return Err(Error::shape(
                op,
                format!("the device runs at most {most} workgroups along an axis, these shapes need {groups:?}"),
            ));
        }
        Ok(())
    }

    /// Sends what is waiting, and has `commands` encoded behind it.
    pub fn send(&mut self, commands: impl FnOnce(&mut wgpu::CommandEncoder)) -> wgpu::SubmissionIndex {
        self.pass = None;
        let encoder = self.encoder.take();
        let mut encoder = encoder.unwrap_or_else(|| self.device.create_command_encoder(&Default::default()));
        self.profile.resolve(&mut encoder);
        commands(&mut encoder);
        let began = Instant::now();
        let submission = self.queue.submit([encoder.finish()]);
        self.profile.submitted(self.waiting, began);
        self.waiting = 0;
        submission
    }

    /// Sends what is waiting, if that is enough for the GPU to be busy with.
    pub fn flush_batch(&mut self) {
        if self.waiting >= BATCH {
            self.flush();
        }
    }

    /// Sends what is waiting.
    pub fn flush(&mut self) {
        if self.waiting > 0 || self.profile.is_full() {
            self.send(|_| ());
        }
    }
}

fn layout(device: &wgpu::Device, (inputs, outs): (usize, usize)) -> Layout {
    let entries: Vec<_> = (0..inputs + outs)
        .map(|binding| wgpu::BindGroupLayoutEntry {
            binding: binding as u32,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Storage { read_only: binding < inputs },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        })
        .collect();
    let group = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries });
    let pipeline = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &[Some(&group)],
        immediate_size: IMMEDIATE_BYTES,
    });
    Layout { group, pipeline }
}

fn compile(
    device: &wgpu::Device,
    layout: &Layout,
    job: &Dispatch,
    cache: Option<&wgpu::PipelineCache>,
) -> wgpu::ComputePipeline {
    let source = job.shader.source(job.constants);
    let descriptor =
        wgpu::ShaderModuleDescriptor { label: Some(job.shader.name), source: wgpu::ShaderSource::Wgsl(source.into()) };
    // SAFETY: every shader of this crate checks its indices against the sizes in its parameters, and its loops end.
    let module = unsafe { device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) };
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(job.shader.name),
        layout: Some(&layout.pipeline),
        module: &module,
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions {
            zero_initialize_workgroup_memory: false,
            ..Default::default()
        },
        cache,
    })
}

fn bind<'a>(
    device: &wgpu::Device,
    layout: &wgpu::BindGroupLayout,
    operands: impl Iterator<Item = &'a Binding>,
) -> wgpu::BindGroup {
    let entries: Vec<_> = operands
        .zip(0..)
        .map(|(operand, binding)| wgpu::BindGroupEntry {
            binding,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: &operand.slot.buffer,
                offset: operand.offset,
                size: wgpu::BufferSize::new(operand.bytes),
            }),
        })
        .collect();
    device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries })
}
