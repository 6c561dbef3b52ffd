use std::cell::Cell;
use std::rc::Rc;

use stylegan_tensor::{DType, Error, Result, Shape, View};

use crate::tensor::{Device, Tensor};

/// The product of a cotangent with the Jacobian towards one input: `(g, saved) → gradient`.
pub(crate) type Vjp = Box<dyn Fn(&Tensor, &[Tensor]) -> Result<Tensor>>;

/// A function of tensors made of ordinary ops.
pub(crate) type Define = Box<dyn Fn(&[Tensor]) -> Result<Tensor>>;

/// A fused op in terms of ordinary ops, on the tensors of [`Composition::inputs`].
pub(crate) struct Composition {
    pub(crate) inputs: Vec<Saved>,
    pub(crate) define: Define,
}

/// A tensor kept for a vjp, with the version it had.
pub(crate) struct Saved {
    tensor: Option<Tensor>,
    version: u64,
}

impl Saved {
    pub(crate) fn new(tensor: &Tensor) -> Self {
        Self { version: tensor.storage().version(), tensor: Some(tensor.clone()) }
    }

    /// The tensor as it was saved; its history only for a gradient that will be differentiated.
    pub(crate) fn get(&self, op: &'static str, create_graph: bool) -> Result<Tensor> {
        let Some(tensor) = &self.tensor else {
            return Err(Error::Disposed { op, message: "history is being dropped".into() });
        };
        check_version(op, tensor.view(), self.version)?;
        Ok(if create_graph { tensor.clone() } else { tensor.detach() })
    }
}

fn check_version(op: &'static str, view: &View, version: u64) -> Result<()> {
    if view.storage.version() == version {
        return Ok(());
    }
    Err(Error::Disposed {
        op,
        message: "a tensor that its gradient needs was changed in place after it was recorded".into(),
    })
}

/// One input of an op, as far as gradients are concerned.
pub struct Edge {
    pub(crate) to: Option<Rc<Node>>,
    pub(crate) shape: Shape,
    pub(crate) dtype: DType,
    saved: Vec<Saved>,
    saves_output: bool,
    vjp: Option<Vjp>,
}

impl Edge {
    /// An edge to `input`; of no effect if that has no history.
    pub(crate) fn to(input: &Tensor) -> Self {
        Self {
            to: input.node().cloned(),
            shape: input.shape().to_vec(),
            dtype: input.dtype(),
            saved: Vec::new(),
            saves_output: false,
            vjp: None,
        }
    }

    /// Keeps `tensors` for the vjp, in this order.
    pub(crate) fn saving<const K: usize>(mut self, tensors: [&Tensor; K]) -> Self {
        if self.to.is_some() {
            self.saved.extend(tensors.map(Saved::new));
        }
        self
    }

    /// Keeps the op's result, passed to the vjp after the other saved tensors.
    pub(crate) fn saving_output(mut self) -> Self {
        self.saves_output = true;
        self
    }

    /// The gradient towards the input.
    pub(crate) fn vjp(mut self, vjp: impl Fn(&Tensor, &[Tensor]) -> Result<Tensor> + 'static) -> Self {
        self.vjp = Some(Box::new(vjp));
        self
    }
}

/// A recorded op.
pub(crate) struct Node {
    /// Grows with every node: a node's inputs have smaller numbers.
    pub(crate) id: u64,
    pub(crate) op: &'static str,
    pub(crate) edges: Vec<Edge>,
    /// Set if an edge saves the output. It has no node of its own, so there is no cycle.
    output: Option<(View, u64)>,
    pub(crate) composition: Option<Composition>,
}

thread_local! {
    static NEXT_ID: Cell<u64> = const { Cell::new(0) };
}

impl Node {
    /// The start of a history.
    pub(crate) fn leaf() -> Rc<Self> {
        Rc::new(Self::with_edges("tracked", Vec::new(), None, None))
    }

    /// `None` if no edge leads to a history.
    pub(crate) fn new(
        op: &'static str,
        output: &View,
        edges: impl IntoIterator<Item = Edge>,
        composition: Option<Composition>,
    ) -> Option<Rc<Self>> {
        let edges: Vec<Edge> = edges.into_iter().filter(|edge| edge.to.is_some()).collect();
        if edges.is_empty() {
            return None;
        }
        let saves_output = edges.iter().any(|edge| edge.saves_output);
        let output = saves_output.then(|| (output.clone(), output.storage.version()));
        Some(Rc::new(Self::with_edges(op, edges, output, composition)))
    }

    fn with_edges(
        op: &'static str,
        edges: Vec<Edge>,
        output: Option<(View, u64)>,
        composition: Option<Composition>,
    ) -> Self {
        Self { id: NEXT_ID.replace(NEXT_ID.get() + 1), op, edges, output, composition }
    }

    /// The gradient towards the input of `edge`, or `None` where the op has none.
    pub(crate) fn pull_back(
        self: &Rc<Self>,
        edge: &Edge,
        g: &Tensor,
        device: &Device,
        create_graph: bool,
    ) -> Result<Option<Tensor>> {
        let Some(vjp) = &edge.vjp else { return Ok(None) };
        let saved = edge.saved.iter().map(|saved| saved.get(self.op, create_graph));
        let mut saved = saved.collect::<Result<Vec<_>>>()?;
        if let (true, Some((view, version))) = (edge.saves_output, &self.output) {
            check_version(self.op, view, *version)?;
            let node = create_graph.then(|| Rc::clone(self));
            saved.push(Tensor::with_node(device, view.clone(), node));
        }
        vjp(g, &saved).map(Some)
    }

    /// Everything that keeps other nodes alive.
    fn take_nodes(&mut self) -> Vec<Rc<Self>> {
        let mut nodes = Vec::new();
        let composed = self.composition.iter_mut().flat_map(|c| c.inputs.iter_mut());
        for saved in self.edges.iter_mut().flat_map(|edge| edge.saved.iter_mut()).chain(composed) {
            nodes.extend(saved.tensor.take().and_then(Tensor::into_node));
        }
        nodes.extend(self.edges.iter_mut().filter_map(|edge| edge.to.take()));
        nodes
    }
}

/// Iterative: a history of a million ops must not overflow the stack.
impl Drop for Node {
    fn drop(&mut self) {
        let mut stack = self.take_nodes();
        while let Some(node) = stack.pop() {
            if let Ok(mut last) = Rc::try_unwrap(node) {
                stack.append(&mut last.take_nodes());
            }
        }
    }
}
