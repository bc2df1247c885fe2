//! A machine's disk, which has a cache as real ones have: what was not flushed when the power is cut may be lost, all of
//! it or some. (qemu alone hands it to the host, which keeps it.) It is served to qemu by the oldest form of the NBD
//! protocol, which negotiates nothing.

use crate::sys;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A disk, whatever is on it: the file that it is kept in, and the socket that it is served by.
pub struct Disk {
    file: PathBuf,
    socket: PathBuf,
    /// Held while a machine uses it, until what is lost with its power is lost.
    used: Arc<Mutex<()>>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    broken: AtomicBool,
    lost: AtomicUsize,
}

/// What a cache holds at most, in writes: then the oldest goes to the disk.
const HOLDS: usize = 1000;
/// More than any image grows to.
const SIZE: u64 = 8 << 30;

const SIGN: [u64; 2] = [u64::from_be_bytes(*b"NBDMAGIC"), 0x0000_4202_8186_1253];
/// There are flags; it can be flushed; a write can wait until it is safe.
const FLAGS: u32 = 1 | 4 | 8;
const ASKED: u32 = 0x2560_9513;
const ANSWERED: u32 = 0x6744_6698;
const SAFE: u16 = 1;
/// EIO.
const BROKEN: u32 = 5;
const READ: u16 = 0;
const WRITE: u16 = 1;
const DISCONNECT: u16 = 2;
const FLUSH: u16 = 3;

impl Disk {
    /// One that is kept in `NAME.qcow2` of that directory; it is served for as long as this process lives.
    pub fn new(directory: &Path, name: &str) -> io::Result<Disk> {
        let disk = Disk {
            file: directory.join(format!("{name}.qcow2")),
            socket: directory.join(format!("{name}.socket")),
            used: Arc::default(),
            state: Arc::default(),
        };
        let _ = fs::remove_file(&disk.socket);
        let listener = UnixListener::bind(&disk.socket)?;
        let (file, used, state) = (disk.file.clone(), disk.used.clone(), disk.state.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _used = used.lock().expect("no panic while held");
                if let Err(error) = serve(&file, &state, stream) {
                    eprintln!("lab: {}: {error}", file.display());
                }
            }
        });
        Ok(disk)
    }

    /// From now on it fails whatever it is asked for, or is well again.
    pub fn set_broken(&self, broken: bool) {
        self.state.broken.store(broken, Ordering::Relaxed);
    }

    /// How many writes were lost with the power so far.
    pub fn lost(&self) -> usize {
        self.state.lost.load(Ordering::Relaxed)
    }

    /// The file, while no machine uses it.
    pub fn file(&self) -> &Path {
        drop(self.used.lock().expect("no panic while held"));
        &self.file
    }

    /// As qemu's `-drive` has it.
    pub fn drive(&self) -> String {
        let socket = self.socket.display();
        format!(
            "driver=qcow2,file.driver=nbd,file.server.type=unix,file.server.path={socket},if=virtio,cache=writeback"
        )
    }
}

/// Until the machine is off.
fn serve(file: &Path, state: &State, mut stream: UnixStream) -> io::Result<()> {
    let mut cache = Cache {
        file: File::options().read(true).write(true).open(file)?,
        unsafe_yet: Vec::new(),
    };
    let mut hello = Vec::new();
    SIGN.iter()
        .for_each(|part| hello.extend(part.to_be_bytes()));
    hello.extend(SIZE.to_be_bytes());
    hello.extend(FLAGS.to_be_bytes());
    hello.resize(hello.len() + 124, 0);
    stream.write_all(&hello)?;
    let ended = loop {
        // It may lose its power in the middle of anything.
        let Ok(request) = Request::read(&mut stream) else {
            break Ok(());
        };
        let fails = state.broken.load(Ordering::Relaxed) && request.order != DISCONNECT;
        let mut answer = Vec::from(ANSWERED.to_be_bytes());
        answer.extend(if fails { BROKEN } else { 0 }.to_be_bytes());
        answer.extend(request.handle);
        match request.order {
            _ if fails => {}
            READ => answer.extend(cache.read(request.from, request.length)?),
            WRITE => {
                cache.write(request.from, request.data)?;
                if request.flags & SAFE != 0 {
                    cache.flush()?;
                }
            }
            FLUSH => cache.flush()?,
            DISCONNECT => break Ok(()),
            other => break Err(io::Error::other(format!("it is asked for {other}"))),
        }
        if stream.write_all(&answer).is_err() {
            break Ok(());
        }
    };
    state.lost.fetch_add(cache.lose()?, Ordering::Relaxed);
    ended
}

struct Request {
    flags: u16,
    order: u16,
    handle: [u8; 8],
    from: u64,
    length: usize,
    data: Vec<u8>,
}

impl Request {
    fn read(stream: &mut UnixStream) -> io::Result<Request> {
        let mut head = [0; 28];
        stream.read_exact(&mut head)?;
        let at = |from: usize| head[from..from + 4].try_into().expect("four");
        if u32::from_be_bytes(at(0)) != ASKED {
            return Err(io::Error::other("that is no request"));
        }
        let both = u32::from_be_bytes(at(4));
        let handle: [u8; 8] = head[8..16].try_into().expect("eight");
        let from = u64::from_be_bytes(head[16..24].try_into().expect("eight"));
        let length = u32::from_be_bytes(at(24)) as usize;
        let order = both as u16;
        let mut data = vec![0; if order == WRITE { length } else { 0 }];
        stream.read_exact(&mut data)?;
        Ok(Request {
            flags: (both >> 16) as u16,
            order,
            handle,
            from,
            length,
            data,
        })
    }
}

/// What is on the disk, and what is not yet.
struct Cache {
    file: File,
    /// Writes, in their order.
    unsafe_yet: Vec<(u64, Vec<u8>)>,
}

impl Cache {
    fn read(&self, from: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut read = vec![0; length];
        let mut known = 0;
        while known < length {
            match self.file.read_at(&mut read[known..], from + known as u64)? {
                0 => break, // a file may be shorter than the disk
                more => known += more,
            }
        }
        let until = from + length as u64;
        for (at, data) in &self.unsafe_yet {
            let (first, last) = ((*at).max(from), (at + data.len() as u64).min(until));
            if first < last {
                let part = &data[(first - at) as usize..(last - at) as usize];
                read[(first - from) as usize..(last - from) as usize].copy_from_slice(part);
            }
        }
        Ok(read)
    }

    fn write(&mut self, at: u64, data: Vec<u8>) -> io::Result<()> {
        self.unsafe_yet.push((at, data));
        if self.unsafe_yet.len() > HOLDS {
            let (at, data) = self.unsafe_yet.remove(0);
            self.file.write_all_at(&data, at)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        for (at, data) in self.unsafe_yet.drain(..) {
            self.file.write_all_at(&data, at)?;
        }
        Ok(())
    }

    /// The power is cut: of what was not flushed all is lost, or each by chance. Gives how many writes that were.
    fn lose(&mut self) -> io::Result<usize> {
        let all = sys::random(2) == 0;
        let had = self.unsafe_yet.len();
        self.unsafe_yet.retain(|_| !all && sys::random(2) == 0);
        let lost = had - self.unsafe_yet.len();
        self.flush().map(|()| lost)
    }
}
