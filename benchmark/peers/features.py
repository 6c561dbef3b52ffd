"""Features of pytorch-fid's Inception and torchvision's VGG-16 in PyTorch, a side of `npm run bench:peers`.

Modes: eager, in PyTorch's own layout; eager-last and
compiled-last, channels last; frozen-last, with weights as constants, laid out as oneDNN likes them.
"""
import time

import torch
import torchvision

from serve import serve


def inception():
    import pytorch_fid.inception as fid

    # The published weights are not needed for timing.
    fid.load_state_dict_from_url = lambda *args, **kwargs: {}
    torchvision.models.Inception3.load_state_dict = lambda *args, **kwargs: None
    return fid.InceptionV3([3], resize_input=False, normalize_input=False).eval(), 299


def vgg():
    net = torchvision.models.vgg16(weights=None).eval()
    net.classifier = net.classifier[:5]
    return net, 224


class Side:
    def open(self, mode, network, batch, threads, avx2):
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        if avx2:
            # The environment confines all but the compiler.
            import torch._inductor.config as inductor
            inductor.cpp.simdlen = 256
        self.net, side = {'inception': inception, 'vgg': vgg}[network]()
        self.images = torch.full((batch, 3, side, side), 0.5)
        if mode != 'eager':
            self.net = self.net.to(memory_format=torch.channels_last)
            self.images = self.images.to(memory_format=torch.channels_last)
        if mode == 'frozen-last':
            import torch._inductor.config as inductor
            inductor.freezing = True
        if not mode.startswith('eager'):
            self.net = torch.compile(self.net)
        return {'torch': torch.__version__}

    def features(self):
        began = time.perf_counter()
        self.net(self.images)
        return {'seconds': time.perf_counter() - began}


if __name__ == '__main__':
    serve(Side())
