"""ms of MPI_Allreduce on f32, for mpirun -n N python allreduce.py MB ..."""
import sys, time
from mpi4py import MPI
import numpy as np
comm = MPI.COMM_WORLD
for mb in map(float, sys.argv[1:]):
    a = np.random.default_rng(comm.rank).random(int(mb * 2**18), dtype=np.float32)
    b = np.empty_like(a)
    times = []
    for _ in range(9):
        comm.Barrier(); t = time.perf_counter(); comm.Allreduce(a, b); times.append(time.perf_counter() - t)
    if comm.rank == 0: print(f"MPI_Allreduce {mb} MB: {sorted(times)[4]*1e3:.2f} ms")
