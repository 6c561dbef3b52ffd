use std::rc::Rc;
use std::sync::mpsc::channel;
use std::sync::{Arc, Weak};

use stylegan_tensor::{Backend, DType, Error, Kernel, Result, Shape, Storage, View, elements};

use crate::node::{Edge, Node};

/// A device that tensors live on; clones are the same device.
#[derive(Clone)]
pub struct Device(Arc<dyn Backend>);

impl Device {
    /// Wraps a backend.
    pub fn new(backend: impl Backend) -> Self {
        Self(Arc::new(backend))
    }

    /// The backend, which this does not keep open.
    pub fn downgrade(&self) -> Weak<dyn Backend> {
        Arc::downgrade(&self.0)
    }

    /// What the device can do.
    pub fn backend(&self) -> &dyn Backend {
        &*self.0
    }

    /// Whether both are one device.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The result of `kernel` on `inputs`.
    pub(crate) fn run(
        &self,
        op: &'static str,
        kernel: Kernel,
        inputs: &[&Tensor],
        shape: &[usize],
        dtype: DType,
    ) -> Result<View> {
        let out = self.empty(op, shape, dtype)?;
        let inputs: Vec<&View> = inputs.iter().map(|x| x.view()).collect();
        self.0.launch(kernel, &inputs, &[&out], false)?;
        Ok(out)
    }

    /// Memory for a tensor, its content undefined.
    pub(crate) fn empty(&self, op: &'static str, shape: &[usize], dtype: DType) -> Result<View> {
        let storage = self.0.allocate(op, elements(op, shape)?, dtype)?;
        Ok(View { storage, shape: shape.to_vec() })
    }
}

/// A contiguous array on a device, and how it was computed if that is to be differentiated.
#[derive(Clone)]
pub struct Tensor(Rc<Inner>);

pub(crate) struct Inner {
    view: View,
    device: Device,
    pub(crate) node: Option<Rc<Node>>,
}

impl Tensor {
    /// A tensor without history.
    pub(crate) fn new(device: &Device, view: View) -> Self {
        Self::with_node(device, view, None)
    }

    pub(crate) fn with_node(device: &Device, view: View, node: Option<Rc<Node>>) -> Self {
        Self(Rc::new(Inner { view, device: device.clone(), node }))
    }

    /// The result of `kernel`, of the type that [`Kernel::output`] says, with the edges to those inputs that have history.
    pub(crate) fn from_op<const K: usize>(
        op: &'static str,
        kernel: Kernel,
        inputs: &[&Tensor],
        shape: &[usize],
        edges: [Edge; K],
    ) -> Result<Self> {
        let float = same_device(op, inputs)?.backend().float();
        let types: Vec<DType> = inputs.iter().map(|x| x.dtype()).collect();
        let dtype = kernel.output(&types, float);
        Self::from_op_in(op, kernel, inputs, shape, dtype, edges)
    }

    /// As [`from_op`](Self::from_op), the result in another type.
    pub(crate) fn from_op_in<const K: usize>(
        op: &'static str,
        kernel: Kernel,
        inputs: &[&Tensor],
        shape: &[usize],
        dtype: DType,
        edges: [Edge; K],
    ) -> Result<Self> {
        let device = same_device(op, inputs)?;
        let view = device.run(op, kernel, inputs, shape, dtype)?;
        Ok(Self::recorded(op, device, view, edges, None))
    }

    /// A computed view, with its history if any edge leads somewhere.
    pub(crate) fn recorded(
        op: &'static str,
        device: &Device,
        view: View,
        edges: impl IntoIterator<Item = Edge>,
        composition: Option<crate::node::Composition>,
    ) -> Self {
        let node = Node::new(op, &view, edges, composition);
        Self::with_node(device, view, node)
    }

    /// Uploads `values`, converted to `dtype`.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the shape has another number of elements, [`Error::Memory`] if there is no room.
    pub fn from_f64(device: &Device, values: &[f64], shape: &[usize], dtype: DType) -> Result<Self> {
        let bytes = match dtype {
            DType::F32 => values.iter().flat_map(|&v| (v as f32).to_ne_bytes()).collect(),
            DType::F64 => values.iter().flat_map(|v| v.to_ne_bytes()).collect(),
            DType::U8 => values.iter().map(|&v| v as u8).collect(),
            DType::I32 => values.iter().flat_map(|&v| (v as i32).to_ne_bytes()).collect(),
            // The device rounds.
            DType::BF16 | DType::F16 => {
                return crate::ops::cast(&Self::from_f64(device, values, shape, DType::F32)?, dtype);
            }
        };
        Self::from_bytes(device, bytes, shape, dtype)
    }

    /// Uploads elements in native byte order.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the shape has another number of elements, [`Error::Memory`] if there is no room.
    pub fn from_bytes(device: &Device, bytes: Vec<u8>, shape: &[usize], dtype: DType) -> Result<Self> {
        let given = bytes.len() / dtype.size();
        let len = elements("tensor", shape)?;
        if given != len {
            return Err(Error::shape("tensor", format!("shape {shape:?} has {len} elements, got {given}")));
        }
        if dtype.is_float() && dtype != device.backend().float() {
            let name = device.backend().name();
            let float = device.backend().float();
            return Err(Error::shape("tensor", format!("device '{name}' computes in {float}, got {dtype}")));
        }
        let view = device.empty("tensor", shape, dtype)?;
        device.backend().write(&view.storage, bytes);
        Ok(Self::new(device, view))
    }

    /// A single number, in the device's floating-point type.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`] if there is no room.
    pub fn scalar(device: &Device, value: f64) -> Result<Self> {
        Self::full(device, &[], value)
    }

    /// A tensor of equal elements, in the device's floating-point type.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`] if there is no room.
    pub fn full(device: &Device, shape: &[usize], value: f64) -> Result<Self> {
        Self::full_in(device, shape, value, device.backend().float())
    }

    /// As [`full`](Self::full), in the type that a tensor of feature maps has.
    pub(crate) fn full_in(device: &Device, shape: &[usize], value: f64, dtype: DType) -> Result<Self> {
        let view = device.run("full", Kernel::Fill { value }, &[], shape, dtype)?;
        Ok(Self::new(device, view))
    }

    /// The same elements as the start of a history: ops on the result are recorded, and `grad` can ask for it.
    pub fn tracked(&self) -> Self {
        Self::with_node(self.device(), self.view().clone(), Some(Node::leaf()))
    }

    /// The same elements without history.
    pub fn detach(&self) -> Self {
        Self::new(self.device(), self.view().clone())
    }

    /// Replaces the elements by those of `source`, in place.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if shape, dtype or device differ or both share one buffer.
    pub fn assign(&self, source: &Self) -> Result<()> {
        same_device("assign", &[self, source])?;
        let (to, from) = (self.storage(), source.storage());
        if self.shape() != source.shape() || self.dtype() != source.dtype() || to.shares_buffer(from) {
            return Err(Error::shape(
                "assign",
                format!(
                    "source must be {} {:?} in memory of its own, got {} {:?}",
                    self.dtype(),
                    self.shape(),
                    source.dtype(),
                    source.shape()
                ),
            ));
        }
        if to.is_frozen() {
            return Err(Error::shape("assign", "the tensor is frozen; its values do not change"));
        }
        to.touch();
        let copy = crate::ops::copy_all(to.len());
        self.device().backend().launch(copy, &[source.view()], &[self.view()], false)
    }

    /// Promises that the values will not change: a device may keep what it makes of them.
    pub fn freeze(&self) {
        self.storage().freeze();
    }

    /// Sizes of the axes.
    pub fn shape(&self) -> &[usize] {
        &self.0.view.shape
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.0.view.storage.len()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Type of the elements.
    pub fn dtype(&self) -> DType {
        self.0.view.storage.dtype()
    }

    /// Where the elements are.
    pub fn device(&self) -> &Device {
        &self.0.device
    }

    /// Whether ops on this tensor are recorded.
    pub fn is_tracked(&self) -> bool {
        self.0.node.is_some()
    }

    /// The elements, after waiting for the device: for tests; programs use `Backend::read`.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if work failed on the device.
    pub fn to_vec(&self) -> Result<Vec<f64>> {
        if self.dtype().is_half() {
            return crate::ops::cast(&self.detach(), self.device().backend().float())?.to_vec();
        }
        let (send, received) = channel();
        let done = Box::new(move |result| send.send(result).unwrap_or_default());
        self.device().backend().read(self.storage(), done);
        let bytes = received.recv().unwrap_or_else(|_| Err(Error::device("read", "the device is gone")))?;
        let size = self.dtype().size();
        Ok(bytes.chunks_exact(size).map(|b| decode(self.dtype(), b)).collect())
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.0.view.storage
    }

    pub(crate) fn view(&self) -> &View {
        &self.0.view
    }

    pub(crate) fn node(&self) -> Option<&Rc<Node>> {
        self.0.node.as_ref()
    }

    /// Takes the node out if this is the last reference: histories are dropped without recursion.
    pub(crate) fn into_node(self) -> Option<Rc<Node>> {
        Rc::try_unwrap(self.0).ok().and_then(|inner| inner.node)
    }

    /// The same elements under another shape of as many elements; no history.
    pub(crate) fn reshaped(&self, shape: Shape) -> View {
        View { storage: self.storage().clone(), shape }
    }

    /// Where the elements are, for readers outside this crate.
    pub fn as_storage(&self) -> &Storage {
        self.storage()
    }
}

fn decode(dtype: DType, bytes: &[u8]) -> f64 {
    let four = || [bytes[0], bytes[1], bytes[2], bytes[3]];
    match dtype {
        DType::F32 => f64::from(f32::from_ne_bytes(four())),
        DType::I32 => f64::from(i32::from_ne_bytes(four())),
        DType::U8 => f64::from(bytes[0]),
        DType::F64 => bytes.try_into().map_or(f64::NAN, f64::from_ne_bytes),
        DType::BF16 | DType::F16 => unreachable!("read as f32"),
    }
}

/// The device that all operands are on.
pub(crate) fn same_device<'a>(op: &'static str, inputs: &[&'a Tensor]) -> Result<&'a Device> {
    let device = inputs[0].device();
    match inputs.iter().find(|x| !x.device().is(device)) {
        None => Ok(device),
        Some(other) => Err(Error::shape(
            op,
            format!(
                "operands must be on one device, got '{}' and '{}'",
                device.backend().name(),
                other.device().backend().name()
            ),
        )),
    }
}

/// Refuses operands that are not of the device's floating-point type.
pub(crate) fn floats(op: &'static str, inputs: &[&Tensor]) -> Result<()> {
    features(op, &[], inputs)
}

/// As [`floats`], but the feature maps among the operands may be of 16 bits.
pub(crate) fn features(op: &'static str, maps: &[&Tensor], others: &[&Tensor]) -> Result<()> {
    let all: Vec<&Tensor> = maps.iter().chain(others).copied().collect();
    let float = same_device(op, &all)?.backend().float();
    let is_odd = |x: &&&Tensor| x.dtype() != float;
    let odd = others.iter().find(is_odd).or_else(|| maps.iter().filter(|x| !x.dtype().is_half()).find(is_odd));
    match odd {
        None => Ok(()),
        Some(x) => Err(Error::shape(op, format!("operands must be {float}, got {}; cast first", x.dtype()))),
    }
}

/// N, H, W and C of images.
pub(crate) fn images(op: &'static str, x: &[usize]) -> Result<[usize; 4]> {
    x.try_into().map_err(|_| Error::shape(op, format!("x must be [N, H, W, C], got {x:?}")))
}
