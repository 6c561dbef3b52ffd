//! Bytes between processes, and signs of life: a process that gives none is lost, and whoever waits for it is told.

use std::ffi::c_int;
use std::mem::forget;
use std::ops::Range;
use std::thread::{sleep, yield_now};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::library::{Mpi, Request};
use crate::tree::tree_sum;

/// What a message is.
#[derive(Clone, Copy)]
enum Tag {
    Sign = 1,
    Lengths,
    Bytes,
    Parts,
    Sums,
}

/// Bytes of a sign of life: its kind, the length of a text, the text.
const SIGN: usize = 512;
const ALIVE: u8 = 0;
/// The process needs nobody any more, and sends no further sign.
const BYE: u8 = 1;
/// The process ends because of what the text says.
const FAILED: u8 = 2;

/// Longest message of MPI, whose lengths are ints.
const LONGEST: usize = 1 << 30;
/// Tests before a wait begins to sleep in between, so that it takes no processor time from those that compute.
const EAGER: usize = 200;
/// How long a message may take without naps.
const BUSY: Duration = Duration::from_secs(1);
/// Tests before the naps become long: another process does something else than answer.
const PATIENT: usize = 20_000;
const NAP: Duration = Duration::from_micros(50);
const LONG_NAP: Duration = Duration::from_millis(1);

/// Another process.
struct Peer {
    name: String,
    seen: Instant,
    /// Where its next sign arrives; boxed, since MPI writes there at any time.
    heard: Box<[u8; SIGN]>,
    hearing: Option<Request>,
    told: Box<[u8; SIGN]>,
    telling: Option<Request>,
    has_left: bool,
}

/// How long what a process has sent may take to arrive after its farewell.
const LATE: Duration = Duration::from_secs(5);

/// What one thread needs to talk to all other processes.
pub struct Messages {
    mpi: Mpi,
    pub rank: usize,
    pub size: usize,
    timeout: Duration,
    /// By rank; this process is among them.
    peers: Vec<Peer>,
    told_at: Instant,
    looked_at: Instant,
}

impl Messages {
    /// Joins the job and learns the others' names.
    pub fn join(mpi: Mpi, own_name: &str, timeout: Duration) -> Result<Self> {
        mpi.init()?;
        let (rank, size) = mpi.rank_and_size()?;
        let now = Instant::now();
        let peer = |rank: usize| Peer {
            name: format!("rank {rank}"),
            seen: now,
            heard: Box::new([0; SIGN]),
            hearing: None,
            told: Box::new([0; SIGN]),
            telling: None,
            has_left: false,
        };
        let peers = (0..size).map(peer).collect();
        let mut messages = Self { mpi, rank, size, timeout, peers, told_at: now, looked_at: now };
        for rank in messages.others() {
            messages.listen(rank)?;
        }
        let names = messages.gather(own_name.as_bytes().to_vec())?;
        for (peer, name) in messages.peers.iter_mut().zip(names) {
            peer.name = format!("{} ({})", peer.name, String::from_utf8_lossy(&name));
        }
        Ok(messages)
    }

    /// What the library says of itself.
    pub fn version(&self) -> &str {
        &self.mpi.version
    }

    /// Names of all processes, by rank.
    pub fn names(&self) -> Vec<String> {
        self.peers.iter().map(|peer| peer.name.clone()).collect()
    }

    fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let own = self.rank;
        (0..self.size).filter(move |&rank| rank != own)
    }

    /// The bytes of every process, by rank.
    pub fn gather(&mut self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        let length = (bytes.len() as u64).to_ne_bytes().to_vec();
        let (_, lengths) = self.exchange(Tag::Lengths, length, |_| 0..8, |_| 8)?;
        let length =
            |rank: usize| lengths[rank].as_slice().try_into().map_or(0, |bytes| u64::from_ne_bytes(bytes) as usize);
        let all = 0..bytes.len();
        let (bytes, mut gathered) = self.exchange(Tag::Bytes, bytes, |_| all.clone(), length)?;
        gathered[self.rank] = bytes;
        Ok(gathered)
    }

    /// The sum of the f32 of all processes, which have `counts[rank]` leaves of the tree: each process adds one part of them.
    pub fn sum(&mut self, bytes: Vec<u8>, counts: &[usize]) -> Result<Vec<u8>> {
        if self.size == 1 {
            return Ok(bytes);
        }
        let (size, elements) = (self.size, bytes.len() / 4);
        let part = |rank: usize| elements * rank / size * 4..elements * (rank + 1) / size * 4;
        let own = part(self.rank);
        self.meet(bytes.len())?;
        let (mut bytes, received) = self.exchange(Tag::Parts, bytes, part, |_| own.len())?;
        let floats: Vec<Vec<f32>> = (0..size)
            .map(|rank| if rank == self.rank { &bytes[own.clone()] } else { &received[rank] })
            .map(bytemuck::pod_collect_to_vec)
            .collect();
        let parts: Vec<&[f32]> = floats.iter().map(Vec::as_slice).collect();
        let sum = bytemuck::cast_slice(&tree_sum(&parts, counts)).to_vec();
        let all = 0..sum.len();
        let (sum, sums) = self.exchange(Tag::Sums, sum, |_| all.clone(), |rank| part(rank).len())?;
        for (rank, other) in sums.iter().enumerate() {
            bytes[part(rank)].copy_from_slice(if rank == self.rank { &sum } else { other });
        }
        Ok(bytes)
    }

    /// Waits until all are here to add up as many bytes: from then on nobody waits for long.
    fn meet(&mut self, length: usize) -> Result<()> {
        let own = (length as u64).to_ne_bytes().to_vec();
        let (own, lengths) = self.exchange(Tag::Lengths, own, |_| 0..8, |_| 8)?;
        match self.others().find(|&rank| lengths[rank] != own) {
            None => Ok(()),
            Some(rank) => {
                let name = &self.peers[rank].name;
                Err(Error::Mpi(format!("{name}: a sum of {length} bytes is expected, it has another length")))
            }
        }
    }

    /// Sends a range of bytes to each other process, and receives as many bytes as given from each. The result has the bytes
    /// that were sent, and those received by rank.
    fn exchange(
        &mut self,
        tag: Tag,
        bytes: Vec<u8>,
        range: impl Fn(usize) -> Range<usize>,
        length: impl Fn(usize) -> usize,
    ) -> Result<(Vec<u8>, Vec<Vec<u8>>)> {
        let others: Vec<usize> = self.others().collect();
        let expected = |rank: usize| if rank == self.rank { 0 } else { length(rank) };
        let mut received: Vec<Vec<u8>> = (0..self.size).map(|rank| vec![0; expected(rank)]).collect();
        let mut requests = Vec::new();
        let done = self.begin(tag, &others, (&bytes, range), &mut received, &mut requests);
        match done.and_then(|()| self.wait(requests, !matches!(tag, Tag::Lengths))) {
            Ok(()) => Ok((bytes, received)),
            Err(error) => {
                // MPI may still read the one and write the other.
                forget((bytes, received));
                Err(error)
            }
        }
    }

    fn begin(
        &self,
        tag: Tag,
        others: &[usize],
        (bytes, range): (&[u8], impl Fn(usize) -> Range<usize>),
        received: &mut [Vec<u8>],
        requests: &mut Vec<(usize, Request)>,
    ) -> Result<()> {
        for &rank in others {
            for chunk in received[rank].chunks_mut(LONGEST) {
                // SAFETY: `exchange` keeps the bytes until the request is done, or for ever.
                let request = unsafe { self.mpi.receive(chunk.as_mut_ptr(), chunk.len(), rank, tag as c_int) }?;
                requests.push((rank, request));
            }
        }
        for &rank in others {
            for chunk in bytes[range(rank)].chunks(LONGEST) {
                // SAFETY: as above.
                requests.push((rank, unsafe { self.mpi.send(chunk, rank, tag as c_int) }?));
            }
        }
        Ok(())
    }

    /// Waits for all requests, giving and heeding signs of life.
    ///
    /// @param met whether all have come to this point: libraries carry a piece at each test, so that naps would slow them down
    fn wait(&mut self, mut requests: Vec<(usize, Request)>, met: bool) -> Result<()> {
        let (mut tests, began) = (0, Instant::now());
        loop {
            let mut pending = Vec::new();
            for (rank, mut request) in requests {
                if !self.mpi.test(&mut request)? {
                    pending.push((rank, request));
                }
            }
            if pending.is_empty() {
                return Ok(());
            }
            self.look()?;
            let is_gone = |peer: &Peer| peer.has_left && peer.seen.elapsed() > LATE;
            if let Some((rank, _)) = pending.iter().find(|(rank, _)| is_gone(&self.peers[*rank])) {
                return Err(Error::Lost(format!("{} has ended, while others go on", self.peers[*rank].name)));
            }
            requests = pending;
            tests += 1;
            if met && began.elapsed() < BUSY {
                yield_now();
                continue;
            }
            match tests {
                0..EAGER => yield_now(),
                EAGER..PATIENT => sleep(NAP),
                _ => sleep(LONG_NAP),
            }
        }
    }

    fn listen(&mut self, rank: usize) -> Result<()> {
        let heard = self.peers[rank].heard.as_mut_ptr();
        // SAFETY: the box lives as long as the thread, and is read only when the request is done.
        self.peers[rank].hearing = Some(unsafe { self.mpi.receive(heard, SIGN, rank, Tag::Sign as c_int) }?);
        Ok(())
    }

    /// Looks for signs of life, and gives one from time to time.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`] naming a process that failed, or gave no sign for as long as the timeout.
    pub fn look(&mut self) -> Result<()> {
        let now = Instant::now();
        let interval = (self.timeout / 8).min(Duration::from_secs(1));
        // Whoever was stopped itself has not listened.
        let was_stopped = now - self.looked_at > self.timeout / 2;
        self.looked_at = now;
        let tells = now - self.told_at >= interval;
        if tells {
            self.told_at = now;
        }
        for rank in self.others() {
            if self.peers[rank].has_left {
                continue;
            }
            if was_stopped {
                self.peers[rank].seen = now;
            }
            self.hear(rank, now)?;
            if tells && !self.peers[rank].has_left {
                self.tell(rank, ALIVE, "")?;
            }
            let silent = now - self.peers[rank].seen;
            if silent > self.timeout && !self.peers[rank].has_left {
                let (name, seconds) = (&self.peers[rank].name, self.timeout.as_secs_f64());
                return Err(Error::Lost(format!("{name} has given no sign of life for {seconds} seconds")));
            }
        }
        Ok(())
    }

    fn hear(&mut self, rank: usize, now: Instant) -> Result<()> {
        let peer = &mut self.peers[rank];
        let Some(mut request) = peer.hearing.take() else { return Ok(()) };
        if !self.mpi.test(&mut request)? {
            peer.hearing = Some(request);
            return Ok(());
        }
        peer.seen = now;
        match peer.heard[0] {
            BYE => {
                peer.has_left = true;
                Ok(())
            }
            FAILED => {
                peer.has_left = true;
                let length = usize::from(peer.heard[1]) << 8 | usize::from(peer.heard[2]);
                let text = String::from_utf8_lossy(&peer.heard[3..3 + length.min(SIGN - 3)]).into_owned();
                Err(Error::Lost(format!("{} has ended: {text}", peer.name)))
            }
            _ => self.listen(rank),
        }
    }

    /// Gives a sign; whether it could be sent, since one that nobody takes is not followed by another.
    fn tell(&mut self, rank: usize, kind: u8, text: &str) -> Result<bool> {
        let peer = &mut self.peers[rank];
        if let Some(mut request) = peer.telling.take()
            && !self.mpi.test(&mut request)?
        {
            peer.telling = Some(request);
            return Ok(false);
        }
        let mut end = text.len().min(SIGN - 3);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        peer.told[..3].copy_from_slice(&[kind, (end >> 8) as u8, end as u8]);
        peer.told[3..3 + end].copy_from_slice(&text.as_bytes()[..end]);
        // SAFETY: the box lives as long as the thread, and is written only when the request is done.
        peer.telling = Some(unsafe { self.mpi.send(&peer.told[..], rank, Tag::Sign as c_int) }?);
        Ok(true)
    }

    /// Leaves the job when all others do.
    pub fn end(&mut self) -> Result<()> {
        let mut untold: Vec<usize> = self.others().collect();
        while !untold.is_empty() {
            let mut still = Vec::new();
            for rank in untold {
                if !self.tell(rank, BYE, "")? {
                    still.push(rank);
                }
            }
            untold = still;
            self.pause()?;
        }
        let has_left = |peer: &Peer| peer.has_left;
        while self.peers.iter().filter(|peer| has_left(peer)).count() < self.size - 1 {
            self.pause()?;
        }
        for rank in self.others() {
            if let Some(request) = self.peers[rank].telling.take() {
                self.finish(request)?;
            }
        }
        self.mpi.finalize()
    }

    /// As [`look`](Self::look), but gives no sign: the last one was given.
    fn pause(&mut self) -> Result<()> {
        self.told_at = Instant::now();
        self.look()?;
        sleep(NAP);
        Ok(())
    }

    fn finish(&mut self, mut request: Request) -> Result<()> {
        while !self.mpi.test(&mut request)? {
            sleep(NAP);
        }
        Ok(())
    }

    /// Tells the others why this process ends, as far as they listen.
    pub fn fail(&mut self, text: &str) {
        let until = Instant::now() + Duration::from_secs(1);
        let mut untold: Vec<usize> = self.others().filter(|&rank| !self.peers[rank].has_left).collect();
        while !untold.is_empty() && Instant::now() < until {
            untold.retain(|&rank| !matches!(self.tell(rank, FAILED, text), Ok(true) | Err(_)));
            sleep(NAP);
        }
        let is_telling = |peer: &Peer| peer.telling.is_some();
        while self.peers.iter().any(is_telling) && Instant::now() < until {
            for peer in &mut self.peers {
                if let Some(mut request) = peer.telling.take()
                    && let Ok(false) = self.mpi.test(&mut request)
                {
                    peer.telling = Some(request);
                }
            }
            sleep(NAP);
        }
    }
}
