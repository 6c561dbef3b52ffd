use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use stylegan_tensor::{Error, Result};

use crate::node::Node;
use crate::ops;
use crate::tensor::{Device, Tensor, same_device};

/// How gradients are computed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Record the gradients' own history, so that they can be differentiated again.
    pub create_graph: bool,
}

/// Gradients of the sum of all elements of `outputs` towards each of `inputs`, in their shapes; zeros where no
/// path leads. Only paths that lead to the inputs are computed.
///
/// # Errors
///
/// [`Error::Shape`] if an input is not tracked, [`Error::Disposed`] if a saved tensor was changed in place.
pub fn grad(outputs: &[&Tensor], inputs: &[&Tensor], options: Options) -> Result<Vec<Tensor>> {
    if let Some(i) = inputs.iter().position(|x| !x.is_tracked()) {
        return Err(Error::shape("grad", format!("input {i} must be tracked or come from tracked tensors")));
    }
    let mut seeds = BTreeMap::new();
    for output in outputs {
        let ones = Tensor::full_in(output.device(), output.shape(), 1.0, output.dtype())?;
        if let Some(node) = output.node() {
            accumulate(&mut seeds, node, ones, true)?;
        }
    }
    let all: Vec<&Tensor> = outputs.iter().chain(inputs).copied().collect();
    match all.first() {
        None => Ok(Vec::new()),
        Some(_) => walk(same_device("grad", &all)?, seeds, inputs, options, false),
    }
}

/// Whether a path leads from `output` to one of `inputs`: where none does, every gradient is zero.
pub fn depends_on(output: &Tensor, inputs: &[&Tensor]) -> bool {
    let targets = inputs.iter().filter_map(|x| x.node()).map(|node| node.id).collect();
    output.node().is_some_and(|node| paths(std::iter::once(node), &targets).contains(&node.id))
}

/// The cotangents that wait at nodes, by node number: the largest has all its contributions.
type Cotangents = BTreeMap<u64, (Rc<Node>, Tensor)>;

fn walk(
    device: &Device,
    mut cotangents: Cotangents,
    inputs: &[&Tensor],
    options: Options,
    stop_at_inputs: bool,
) -> Result<Vec<Tensor>> {
    let targets: HashSet<u64> = inputs.iter().filter_map(|x| x.node()).map(|node| node.id).collect();
    let needed = paths(cotangents.values().map(|(node, _)| node), &targets);
    let mut found: HashMap<u64, Tensor> = HashMap::new();
    while let Some((id, (node, g))) = cotangents.pop_last() {
        if targets.contains(&id) {
            found.insert(id, g.clone());
            if stop_at_inputs {
                continue;
            }
        }
        if options.create_graph
            && let Some(pulled) = through_composition(device, &node, &g, &needed)?
        {
            for (to, gradient) in pulled {
                accumulate(&mut cotangents, &to, gradient, true)?;
            }
            continue;
        }
        for edge in &node.edges {
            let Some(to) = edge.to.as_ref().filter(|to| needed.contains(&to.id)) else {
                continue;
            };
            if let Some(gradient) = node.pull_back(edge, &g, device, options.create_graph)? {
                // A gradient has its input's type: that of a feature map is one, that of a weight is none.
                let gradient = ops::cast(&gradient, edge.dtype)?;
                if gradient.shape() != edge.shape {
                    let (expected, got) = (&edge.shape, gradient.shape());
                    return Err(Error::shape(node.op, format!("its gradient must be {expected:?}, got {got:?}")));
                }
                accumulate(&mut cotangents, to, gradient, options.create_graph)?;
            }
        }
    }
    let gradient = |x: &&Tensor| match x.node().and_then(|node| found.get(&node.id)) {
        Some(gradient) => Ok(gradient.clone()),
        None => Tensor::full_in(device, x.shape(), 0.0, x.dtype()),
    };
    inputs.iter().map(gradient).collect()
}

/// The nodes from which some target can be reached, targets included.
fn paths<'a>(from: impl Iterator<Item = &'a Rc<Node>>, targets: &HashSet<u64>) -> HashSet<u64> {
    let mut reached: BTreeMap<u64, Rc<Node>> = BTreeMap::new();
    let mut stack: Vec<Rc<Node>> = from.cloned().collect();
    while let Some(node) = stack.pop() {
        if reached.contains_key(&node.id) {
            continue;
        }
        stack.extend(node.edges.iter().filter_map(|edge| edge.to.clone()));
        reached.insert(node.id, node);
    }
    let mut needed = HashSet::new();
    // Ascending numbers: a node's inputs come before it.
    for (id, node) in reached {
        let leads = |edge: &crate::node::Edge| edge.to.as_ref().is_some_and(|to| needed.contains(&to.id));
        if targets.contains(&id) || node.edges.iter().any(leads) {
            needed.insert(id);
        }
    }
    needed
}

/// Gradients towards nodes.
type Gradients = Vec<(Rc<Node>, Tensor)>;

/// A fused op whose vjp is no differentiable op gives way to its composition: the gradients towards the inputs with
/// history, as functions of them and of `g`.
fn through_composition(
    device: &Device,
    node: &Rc<Node>,
    g: &Tensor,
    needed: &HashSet<u64>,
) -> Result<Option<Gradients>> {
    let Some(composition) = &node.composition else {
        return Ok(None);
    };
    let inputs = composition.inputs.iter().map(|saved| saved.get(node.op, true));
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    let y = (composition.define)(&inputs)?;
    let mut seen = HashSet::new();
    let wanted = |x: &&Tensor| x.node().is_some_and(|node| needed.contains(&node.id) && seen.insert(node.id));
    let tracked: Vec<&Tensor> = inputs.iter().filter(wanted).collect();
    let Some(output) = y.node() else {
        return Ok(Some(Vec::new()));
    };
    let seed = BTreeMap::from([(output.id, (Rc::clone(output), g.clone()))]);
    // The walk stops at the inputs: a path from one input to another belongs to the outer walk.
    let gradients = walk(device, seed, &tracked, Options { create_graph: true }, true)?;
    let nodes = tracked.iter().filter_map(|x| x.node().cloned());
    Ok(Some(nodes.zip(gradients).collect()))
}

fn accumulate(cotangents: &mut Cotangents, to: &Rc<Node>, gradient: Tensor, create_graph: bool) -> Result<()> {
    let sum = match cotangents.remove(&to.id) {
        None => gradient,
        Some((_, sum)) if create_graph => ops::add(&sum, &gradient)?,
        Some((_, sum)) => ops::add_into(sum, &gradient)?,
    };
    cotangents.insert(to.id, (Rc::clone(to), sum));
    Ok(())
}
