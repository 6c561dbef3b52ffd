"""Decodes images with Pillow in two threads, and resizes them if a side is given: the other side of benchmark/datasets.ts."""
import json
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import PIL
from PIL import Image, features

folder, side = Path(sys.argv[1]), int(sys.argv[2])


def work(path):
    image = Image.open(path)
    image.load()
    return image.resize((side, side), Image.LANCZOS).size if side else image.size


paths = sorted(folder.iterdir())
began = time.perf_counter()
with ThreadPoolExecutor(2) as pool:
    done = sum(1 for _ in pool.map(work, paths))
seconds = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    'images': done, 'seconds': seconds, 'cpuSeconds': used.ru_utime + used.ru_stime,
    'what': f'Pillow {PIL.__version__}, libjpeg-turbo {features.version_feature("libjpeg_turbo")}'}))
