"""Carries frames between two network devices, each after a delay: relay.py SECONDS DEVICE DEVICE."""
import heapq, select, socket, sys, time

SOL_PACKET, PACKET_VNET_HDR = 263, 15
delay, ends = float(sys.argv[1]), []
for name in sys.argv[2:]:
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    # The kernel leaves checksums and the cutting of large frames to the device: a header before each frame says so.
    end.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    end.bind((name, 0))
    ends.append(end)
print("ready", flush=True)
waiting, number = [], 0
while True:
    now = time.monotonic()
    while waiting and waiting[0][0] <= now:
        _, _, to, frame = heapq.heappop(waiting)
        to.send(frame)
    ready, _, _ = select.select(ends, [], [], max(0, waiting[0][0] - now) if waiting else None)
    for end in ready:
        frame, (_, _, kind, _, _) = end.recvfrom(1 << 17)
        if kind == socket.PACKET_OUTGOING:
            continue
        number += 1
        heapq.heappush(waiting, (time.monotonic() + delay, number, ends[1 - ends.index(end)], frame))
