import test from 'ava'
import { launchOf, outsideJob, starterOf } from '../../ts/runs/processes.ts'

test('a process knows what started it by the variables of MPICH, Open MPI and Slurm', (t) => {
  t.is(launchOf({}), undefined)
  const hydra = launchOf({ PMI_RANK: '1', PMI_SIZE: '4', MPI_LOCALRANKID: '1' })!
  t.like(hydra, { by: 'mpirun', size: 4 })
  t.regex(hydra.libraries[0]!, /mpi(ch)?\.(so\.12|12\.dylib)|msmpi/)
  const openMpi = launchOf({ OMPI_COMM_WORLD_RANK: '0', OMPI_COMM_WORLD_SIZE: '3', PMIX_RANK: '0' })!
  t.like(openMpi, { by: 'mpirun', size: 3 })
  t.regex(openMpi.libraries[0]!, /40|mpi_abi/)
  const step = { SLURM_STEP_NUM_TASKS: '8', SLURM_PROCID: '5' }
  t.like(launchOf({ ...step, PMI_RANK: '5', PMI_SIZE: '8' }), { by: 'srun', size: 8 })
  t.like(launchOf({ ...step, PMIX_RANK: '5' }), { by: 'srun', size: 8 })
  t.like(launchOf(step), { by: 'srun', size: 8 })
})

test('what a process of a job starts besides is no process of the job', (t) => {
  const job = { OMPI_COMM_WORLD_RANK: '0', OMPI_COMM_WORLD_SIZE: '3', PMIX_RANK: '0', PMI_RANK: '0', PMI_FD: '9' }
  const step = { SLURM_STEP_NUM_TASKS: '8', SLURM_PROCID: '5', STYLEGAN_STARTED_BY: 'mpiexec 7' }
  const env = outsideJob({ ...job, ...step, PATH: '/bin' })
  t.deepEqual(env, { PATH: '/bin' })
  t.is(launchOf(env), undefined)
})

test('one process is no job: nobody looks for MPI', (t) => {
  t.is(launchOf({ PMI_RANK: '0', PMI_SIZE: '1' }), undefined)
  t.is(launchOf({ OMPI_COMM_WORLD_RANK: '0', OMPI_COMM_WORLD_SIZE: '1' }), undefined)
  // A batch script of Slurm that starts the command itself.
  t.is(launchOf({ SLURM_JOB_ID: '7', SLURM_NTASKS: '4', SLURM_PROCID: '0' }), undefined)
  t.is(launchOf({ SLURM_STEP_NUM_TASKS: '1', SLURM_PROCID: '0' }), undefined)
})

test('a process that --processes has started names what was used for it', (t) => {
  const env = { PMI_RANK: '0', PMI_SIZE: '2', STYLEGAN_STARTED_BY: 'mpiexec 12' }
  t.like(launchOf(env), { by: 'mpiexec', size: 2 })
  t.deepEqual(starterOf(env), { name: 'mpiexec', pid: 12 })
  t.is(starterOf({}), undefined)
})
