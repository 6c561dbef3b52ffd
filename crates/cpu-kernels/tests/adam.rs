use stylegan_cpu_kernels::adam::{Arenas, adam};
use stylegan_tensor::AdamStep;

const STEP: AdamStep = AdamStep { rate: 0.01, beta1: 0.5, beta2: 0.9, epsilon: 1e-8, average_beta: 0.75 };

struct Network {
    params: Vec<f32>,
    m: Vec<f32>,
    v: Vec<f32>,
    state: Vec<f32>,
    average: Vec<f32>,
}

impl Network {
    fn new(len: usize) -> Self {
        let zeros = || vec![0.0; len];
        Self { params: vec![1.0; len], m: zeros(), v: zeros(), state: vec![0.0; 2], average: zeros() }
    }

    fn step(&mut self, grad: &[f32]) {
        let arenas = Arenas {
            params: &mut self.params,
            m: &mut self.m,
            v: &mut self.v,
            state: &mut self.state,
            average: Some(&mut self.average),
        };
        adam(&STEP, grad, arenas);
    }
}

#[test]
fn steps_with_given_gradients_follow_the_formula() {
    let mut network = Network::new(3);
    let (mut params, mut m, mut v, mut average) = ([1.0_f64; 3], [0.0_f64; 3], [0.0_f64; 3], [0.0_f64; 3]);
    for (t, grad) in [[0.5, -2.0, 1e-4], [0.25, 1.0, -1e-4], [0.0, 3.0, 2e-4]].into_iter().enumerate() {
        network.step(&grad.map(|g| g as f32));
        let t = t as i32 + 1;
        for i in 0..3 {
            average[i] = params[i] + (average[i] - params[i]) * 0.75;
            m[i] = 0.5 * m[i] + 0.5 * grad[i];
            v[i] = 0.9 * v[i] + 0.1 * grad[i] * grad[i];
            let rate = 0.01 * (1.0 - 0.9_f64.powi(t)).sqrt() / (1.0 - 0.5_f64.powi(t));
            params[i] -= rate * m[i] / (v[i].sqrt() + 1e-8);
            // A rounding of numbers near 1 a step.
            assert!((f64::from(network.params[i]) - params[i]).abs() < 3e-7);
            assert!((f64::from(network.average[i]) - average[i]).abs() < 3e-7);
        }
    }
    assert_eq!(network.state, [3.0, 0.0]);
}

#[test]
fn a_gradient_that_is_not_finite_changes_the_average_and_the_count_of_skipped_steps_alone() {
    for (at, bad) in [(0, f32::NAN), (49_999, f32::INFINITY), (20_000, f32::NEG_INFINITY), (3, -f32::NAN)] {
        let mut network = Network::new(50_000);
        let mut grad = vec![0.1; 50_000];
        grad[at] = bad;
        network.step(&grad);
        assert_eq!(network.state, [0.0, 1.0]);
        assert!(network.params.iter().all(|&p| p == 1.0));
        assert!(network.m.iter().chain(&network.v).all(|&x| x == 0.0));
        // 1 + (0 − 1) · 0.75
        assert!(network.average.iter().all(|&x| x == 0.25));
    }
}
