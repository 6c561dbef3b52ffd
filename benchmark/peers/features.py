"""Inception features a second of pytorch-fid's network in PyTorch, to stand beside benchmark/features.ts.

    pip install torch torchvision pytorch-fid && python benchmark/peers/features.py [batch] [threads]
"""
import sys
import time

import pytorch_fid.inception as fid
import torch
import torchvision

batch, threads = (int(word) for word in (*sys.argv[1:], *(["8", "2"][len(sys.argv) - 1 :])))
torch.set_num_threads(threads)
torch.set_grad_enabled(False)
# The published weights are not needed for timing.
fid.load_state_dict_from_url = lambda *args, **kwargs: {}
torchvision.models.Inception3.load_state_dict = lambda *args, **kwargs: None
net = fid.InceptionV3([3], resize_input=False, normalize_input=False).eval()
images = torch.full((batch, 3, 299, 299), 0.5)


def rates(net, images):
    net(images)
    seconds = []
    for _ in range(7):
        start = time.perf_counter()
        net(images)
        seconds.append(time.perf_counter() - start)
    return f'{batch / sorted(seconds)[3]:.1f} images/s, at best {batch / min(seconds):.1f}'


print(f'PyTorch {torch.__version__}, batch {batch}, {threads} threads: {rates(net, images)}')
last = torch.channels_last
net, images = net.to(memory_format=last), images.to(memory_format=last)
print(f'the same, channels last: {rates(net, images)}')
