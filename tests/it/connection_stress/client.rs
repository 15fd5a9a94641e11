//! A client with varied and faulty behaviour that checks every byte.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use clusterctl::platform::connect::connect;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::Shared;
use super::dice::Dice;
use super::node::BREAK;
use crate::harness::TIMEOUT;

/// Bytes between two repetitions; [`BREAK`] is not one of them.
const PERIOD: u64 = 251;

/// Connects again and again.
pub(super) struct Client {
    number: u64,
    dice: Dice,
    target: SocketAddr,
    shared: &'static Shared,
}

/// What the client does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    /// Sends much, closes its sending side, and reads everything back.
    Talks,
    /// Sends much, closes its sending side, and reads everything back slowly.
    ReadsSlowly,
    /// Sends little, waits, and sends more.
    Idles,
    /// Closes its sending side before it sends anything.
    EndsAtOnce,
    /// Closes the connection before it sends anything.
    Leaves,
    /// Resets the connection in the middle.
    Resets,
    /// Makes the node reset the connection.
    IsReset,
}

impl Client {
    pub(super) fn new(number: u64, target: SocketAddr, shared: &'static Shared) -> Client {
        Client {
            number,
            dice: Dice::new(number),
            target,
            shared,
        }
    }

    /// Goes on until the end of the test or an error.
    pub(super) async fn run(mut self) {
        while !self.shared.enough.load(SeqCst) {
            let habit = self.dice.pick(&[
                Habit::Talks,
                Habit::Talks,
                Habit::ReadsSlowly,
                Habit::Idles,
                Habit::EndsAtOnce,
                Habit::Leaves,
                Habit::Resets,
                Habit::IsReset,
            ]);
            let cuts = self.shared.cuts.load(SeqCst);
            let outcome = timeout(TIMEOUT, self.visit(habit)).await;
            let outcome = outcome.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            match outcome {
                Ok(()) => {
                    self.shared.whole.fetch_add(1, SeqCst);
                }
                // An odd number: it began while an order was carried out.
                Err(_) if self.shared.cuts.load(SeqCst) != cuts || cuts % 2 == 1 => {}
                Err(error) => {
                    let fault = format!("client {} {habit:?}: {error}", self.number);
                    self.shared.faults.lock().unwrap().push(fault);
                    return;
                }
            }
        }
    }

    // Private

    async fn visit(&mut self, habit: Habit) -> io::Result<()> {
        let [_, _, high, low] = u32::try_from(self.number % 200).unwrap().to_be_bytes();
        let source = Ipv4Addr::new(127, 77, high, low + 1);
        let mut stream = connect(self.target, Some(source.into())).await?;
        self.shared.opened.fetch_add(1, SeqCst);
        let length = self.dice.below(300_000);
        match habit {
            Habit::Talks => exchange(stream, length, Duration::ZERO).await,
            Habit::ReadsSlowly => exchange(stream, length, Duration::from_millis(2)).await,
            Habit::EndsAtOnce => exchange(stream, 0, Duration::ZERO).await,
            Habit::Idles => {
                ask(&mut stream, 40).await?;
                sleep(Duration::from_millis(self.dice.below(500))).await;
                exchange(stream, 1_000, Duration::ZERO).await
            }
            Habit::Leaves => Ok(()),
            Habit::Resets => {
                // The result does not matter: the client does not wait for it.
                let _taken = stream.try_write(&vec![1; usize::try_from(length).unwrap()]);
                SockRef::from(&stream).set_linger(Some(Duration::ZERO))
            }
            Habit::IsReset => {
                stream.write_all(&[BREAK; 10]).await?;
                match stream.read(&mut [0]).await {
                    Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
                    other => Err(io::Error::other(format!("not reset: {other:?}"))),
                }
            }
        }
    }
}

/// Sends a little and reads it back.
async fn ask(stream: &mut TcpStream, length: usize) -> io::Result<()> {
    stream.write_all(&vec![1; length]).await?;
    let mut got = vec![0; length];
    stream.read_exact(&mut got).await?;
    if got == vec![1; length] {
        Ok(())
    } else {
        Err(io::Error::other("not what was sent"))
    }
}

/// Sends so many bytes, closes its sending side, and reads everything back, with a pause after each
/// of the first reads.
async fn exchange(mut stream: TcpStream, length: u64, pause: Duration) -> io::Result<()> {
    let (mut from, mut to) = stream.split();
    let sending = async {
        let mut sent = 0;
        while sent < length {
            let piece: Vec<u8> = (sent..length.min(sent + 10_000)).map(byte_at).collect();
            to.write_all(&piece).await?;
            sent += piece.len() as u64;
        }
        to.shutdown().await
    };
    let taking = async {
        let mut taken = 0;
        let mut buffer = vec![0; 4_096];
        for reads in 0.. {
            let read = from.read(&mut buffer).await?;
            if read == 0 {
                break;
            }
            if let Some(wrong) = (0..)
                .zip(&buffer[..read])
                .find(|(at, byte)| byte_at(taken + at) != **byte)
            {
                // Always an error, so reported at once.
                panic!("byte {} is {}", taken + wrong.0, wrong.1);
            }
            taken += read as u64;
            if reads < 50 && !pause.is_zero() {
                sleep(pause).await;
            }
        }
        if taken == length {
            Ok(())
        } else {
            Err(io::Error::other(format!("{taken} of {length} bytes came back")))
        }
    };
    let (sent, taken) = tokio::join!(sending, taking);
    taken.and(sent)
}

fn byte_at(place: u64) -> u8 {
    u8::try_from(place % PERIOD).unwrap()
}
