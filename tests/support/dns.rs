//! A DNS server for one zone, on an address of its own in 127.0.0.0/8, port 53.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::privilege::permitted;

const A: u16 = 1;
const SRV: u16 = 33;

/// How often the server looks whether it is to end.
const LOOK: Duration = Duration::from_millis(50);

/// How the server answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// With what the zone holds.
    #[default]
    Right,
    /// That nothing exists.
    NothingExists,
    /// Not at all.
    Silent,
}

#[derive(Default)]
struct Shared {
    records: Mutex<BTreeMap<(String, u16), Vec<u8>>>,
    mood: Mutex<Mood>,
    ended: AtomicBool,
}

/// Such a server, until it is dropped.
pub struct Dns {
    address: Ipv4Addr,
    shared: Arc<Shared>,
}

impl Dns {
    /// A server with an empty zone; `None` where port 53 is for root only.
    #[must_use]
    pub fn start() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = std::process::id() * 16 + NEXT.fetch_add(1, Ordering::Relaxed);
        let [_, _, high, low] = number.to_be_bytes();
        let address = Ipv4Addr::new(127, 53, high, low);
        let socket = UdpSocket::bind((address, 53));
        let socket =
            if permitted("listening on port 53", socket.is_ok()) { socket.ok()? } else { return None };
        socket.set_read_timeout(Some(LOOK)).expect("a valid timeout");
        let shared = Arc::<Shared>::default();
        let dns = Self { address, shared: Arc::clone(&shared) };
        thread::spawn(move || serve(&socket, &shared));
        Some(dns)
    }

    /// Where it listens, on port 53.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// From now on it answers so.
    pub fn set_mood(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    /// Gives a name an address.
    pub fn set_a(&self, name: &str, address: Ipv4Addr) {
        self.set(name, A, address.octets().to_vec());
    }

    /// Gives a service a server.
    pub fn set_srv(&self, name: &str, target: &str, port: u16) {
        let mut data = vec![0, 0, 0, 0];
        data.extend(port.to_be_bytes());
        for label in target.split('.') {
            data.push(u8::try_from(label.len()).expect("a short label"));
            data.extend(label.bytes());
        }
        data.push(0);
        self.set(name, SRV, data);
    }

    fn set(&self, name: &str, kind: u16, data: Vec<u8>) {
        let mut records = self.shared.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.insert((name.to_owned(), kind), data);
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
    }
}

fn serve(socket: &UdpSocket, shared: &Shared) {
    let mut query = [0; 512];
    while !shared.ended.load(Ordering::Relaxed) {
        let Ok((length, client)) = socket.recv_from(&mut query) else { continue };
        let mood = *shared.mood.lock().unwrap_or_else(PoisonError::into_inner);
        let records = shared.records.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reply) = reply(&query[..length], &records, mood) {
            // A client that is gone needs no answer.
            let _ = socket.send_to(&reply, client);
        }
    }
}

fn reply(query: &[u8], records: &BTreeMap<(String, u16), Vec<u8>>, mood: Mood) -> Option<Vec<u8>> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*query.get(at)?);
        let label = query.get(at + 1..at + 1 + length)?;
        at += 1 + length;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
    }
    let kind = u16::from_be_bytes(query.get(at..at + 2)?.try_into().ok()?);
    let question = query.get(12..at + 4)?;
    let name = labels.join(".");
    let found = records.get(&(name.clone(), kind));
    let exists = records.keys().any(|(known, _)| *known == name);
    let (code, found) = match mood {
        Mood::Silent => return None,
        Mood::Right if exists => (0, found),
        Mood::Right | Mood::NothingExists => (3, None),
    };
    let mut reply = query.get(..2)?.to_vec();
    // A response, authoritative, recursion desired and available; then one question and what was found.
    reply.extend([0x85, 0x80 | code, 0, 1, 0, u8::from(found.is_some()), 0, 0, 0, 0]);
    reply.extend(question);
    if let Some(data) = found {
        reply.extend([0xc0, 12]);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1, 0, 0, 0, 1]);
        reply.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
        reply.extend(data);
    }
    Some(reply)
}
