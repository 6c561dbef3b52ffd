/** Names of metrics, as the official code and StyleGAN3 write them where they have them. */

export const metricNames = [
  'fid50k',
  'fid50k_full',
  'fid50k_mix2',
  'fid50k_mix3',
  'fid50k_mix4',
  'kid50k',
  'pr50k3',
  'dc50k5',
  'is50k',
  'ppl_zfull',
  'ppl_wfull',
  'ppl_zend',
  'ppl_wend',
  'ppl2_wend',
  'ls',
  'swd',
  'ms_ssim',
] as const

/** The name of a metric, as `--metrics` takes it. */
export type MetricName = (typeof metricNames)[number]

export const isMetric = (name: string): name is MetricName => metricNames.some((one) => one === name)
