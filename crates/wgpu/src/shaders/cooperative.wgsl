enable wgpu_cooperative_matrix;
alias Factor = FACTOR;
alias MatrixA = coop_matSIDExSIDE<FACTOR, A>;
alias MatrixB = coop_matSIDExSIDE<FACTOR, B>;
alias MatrixY = coop_matSIDExSIDE<f32, C>;
