"""Features a second of pytorch-fid's Inception and torchvision's VGG-16 in PyTorch: the peer of benchmark/features.ts.

Prints one JSON line of seconds a batch for each network and mode: python features.py [batch] [threads]
"""
import json
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


def inception():
    return fid.InceptionV3([3], resize_input=False, normalize_input=False).eval(), 299


def vgg():
    net = torchvision.models.vgg16(weights=None).eval()
    net.classifier = net.classifier[:5]
    return net, 224


def seconds(run, images):
    times = []
    for _ in range(9):
        began = time.perf_counter()
        run(images)
        times.append(time.perf_counter() - began)
    return times[2:]


for name, make in (('inception', inception), ('vgg', vgg)):
    net, side = make()
    images = torch.full((batch, 3, side, side), 0.5)
    modes = {'eager': seconds(net, images)}
    last = torch.channels_last
    net, images = net.to(memory_format=last), images.to(memory_format=last)
    modes['eager-last'] = seconds(net, images)
    modes['compiled-last'] = seconds(torch.compile(net), images)
    # Weights that do not change become constants, laid out as oneDNN likes them.
    torch._inductor.config.freezing = True
    torch._dynamo.reset()
    modes['frozen-last'] = seconds(torch.compile(net), images)
    print(json.dumps({'network': name, 'torch': torch.__version__, 'modes': modes}), flush=True)
