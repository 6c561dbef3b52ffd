enable f16;
enable wgpu_cooperative_matrix;
alias MatrixA = coop_matSIDExSIDE<f16, A>;
alias MatrixB = coop_matSIDExSIDE<f16, B>;
alias MatrixY = coop_matSIDExSIDE<f32, C>;
