//! Bytes between processes, and signs of life: a process that gives none is lost, and whoever waits for it is told.

use std::ffi::c_int;
use std::mem::{forget, take};
use std::ops::Range;
use std::thread::{sleep, yield_now};
use std::time::{Duration, Instant};

use bytemuck::Pod;

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
/// Bytes that are added up at a time: few enough to stay in the cache.
const PIECE: usize = 1 << 20;
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
    room: Room,
}

/// Memory of sums, kept between them: fresh memory costs more than what is done in it.
#[derive(Default)]
struct Room {
    values: Vec<f32>,
    /// What each process has of this one's part.
    parts: Vec<Vec<f32>>,
    /// The sums of each process's part.
    sums: Vec<Vec<f32>>,
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
        let room = Room { parts: vec![Vec::new(); size], sums: vec![Vec::new(); size], ..Room::default() };
        let mut messages = Self { mpi, rank, size, timeout, peers, told_at: now, looked_at: now, room };
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
        let lengths = self.lengths(bytes.len())?;
        let room = lengths.iter().map(|&length| vec![0; length]).collect();
        let all = 0..bytes.len();
        let (bytes, mut gathered) = self.exchange(Tag::Bytes, bytes, |_| all.clone(), room)?;
        gathered[self.rank] = bytes;
        Ok(gathered)
    }

    /// A number of every process, by rank.
    fn lengths(&mut self, own: usize) -> Result<Vec<usize>> {
        let (own, mut lengths) = self.exchange(Tag::Lengths, vec![own as u64], |_| 0..1, vec![vec![0]; self.size])?;
        lengths[self.rank] = own;
        Ok(lengths.iter().map(|length| length[0] as usize).collect())
    }

    /// The sum of the f32 of all processes, which have `counts[rank]` leaves of the tree.
    pub fn sum(&mut self, mut bytes: Vec<u8>, counts: &[usize]) -> Result<Vec<u8>> {
        if self.size > 1 {
            self.meet(bytes.len())?;
            for piece in bytes.chunks_mut(PIECE) {
                self.sum_piece(piece, counts)?;
            }
        }
        Ok(bytes)
    }

    /// Each process adds one part of the elements, and sends its sum to the others.
    fn sum_piece(&mut self, piece: &mut [u8], counts: &[usize]) -> Result<()> {
        let (own, size, elements) = (self.rank, self.size, piece.len() / 4);
        let part = |rank: usize| elements * rank / size..elements * (rank + 1) / size;
        let Room { mut values, mut parts, mut sums } = take(&mut self.room);
        values.resize(elements, 0.0);
        bytemuck::cast_slice_mut(&mut values).copy_from_slice(piece);
        for (rank, (values, sum)) in parts.iter_mut().zip(&mut sums).enumerate() {
            values.resize(part(own).len(), 0.0);
            sum.resize(part(rank).len(), 0.0);
        }
        let (values, mut parts) = self.exchange(Tag::Parts, values, part, parts)?;
        parts[own].copy_from_slice(&values[part(own)]);
        tree_sum(&mut parts, counts);
        let all = 0..part(own).len();
        let (sum, sums) = self.exchange(Tag::Sums, take(&mut parts[0]), |_| all.clone(), sums)?;
        parts[0] = sum;
        for (rank, other) in sums.iter().enumerate() {
            let sum = if rank == own { &parts[0] } else { other };
            let Range { start, end } = part(rank);
            piece[start * 4..end * 4].copy_from_slice(bytemuck::cast_slice(sum));
        }
        self.room = Room { values, parts, sums };
        Ok(())
    }

    /// Waits until all are here to add up as many bytes: from then on nobody waits for long.
    fn meet(&mut self, length: usize) -> Result<()> {
        match self.lengths(length)?.iter().position(|&other| other != length) {
            None => Ok(()),
            Some(rank) => {
                let name = &self.peers[rank].name;
                Err(Error::Mpi(format!("{name}: a sum of {length} bytes is expected, it has another length")))
            }
        }
    }

    /// Sends a range of values to each other process, and receives into the room for each. The result has the values that were
    /// sent, and those received by rank.
    fn exchange<T: Pod>(
        &mut self,
        tag: Tag,
        values: Vec<T>,
        range: impl Fn(usize) -> Range<usize>,
        mut received: Vec<Vec<T>>,
    ) -> Result<(Vec<T>, Vec<Vec<T>>)> {
        let mut requests = Vec::new();
        let done = self.begin(tag, (&values, range), &mut received, &mut requests);
        match done.and_then(|()| self.wait(requests, !matches!(tag, Tag::Lengths))) {
            Ok(()) => Ok((values, received)),
            Err(error) => {
                // MPI may still read the one and write the other.
                forget((values, received));
                Err(error)
            }
        }
    }

    fn begin<T: Pod>(
        &self,
        tag: Tag,
        (values, range): (&[T], impl Fn(usize) -> Range<usize>),
        received: &mut [Vec<T>],
        requests: &mut Vec<(usize, Request)>,
    ) -> Result<()> {
        for rank in self.others() {
            for chunk in bytemuck::cast_slice_mut(&mut received[rank]).chunks_mut(LONGEST) {
                // SAFETY: `exchange` keeps the bytes until the request is done, or for ever.
                let request = unsafe { self.mpi.receive(chunk.as_mut_ptr(), chunk.len(), rank, tag as c_int) }?;
                requests.push((rank, request));
            }
        }
        for rank in self.others() {
            for chunk in bytemuck::cast_slice(&values[range(rank)]).chunks(LONGEST) {
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
