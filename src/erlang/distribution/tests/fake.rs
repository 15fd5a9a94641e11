//! A fake node that follows a script.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::codec::{decode, encode};
use super::super::flags::Flags;
use super::super::syntax::{flat, parse};
use super::super::{Atom, Cookie, Identity, Target, Term};

const COOKIE: &[u8] = b"secret";

/// Its challenge.
const CHALLENGE: u32 = 4_000_000_000;

/// A fake node that listens.
pub(super) struct Fake(TcpListener);

/// One connection to it.
pub(super) struct Peer {
    pub(super) stream: TcpStream,
    /// The challenge of the client.
    challenged: u32,
}

/// A fake node that listens, and its address.
pub(super) async fn listening() -> (Fake, Target) {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .unwrap();
    let target = Target {
        node: Fake::node().name,
        address: listener.local_addr().unwrap(),
        cookie: Cookie::new(COOKIE).unwrap(),
    };
    (Fake(listener), target)
}

impl Fake {
    /// Its capabilities.
    pub(super) const FLAGS: Flags = Flags::OURS;

    /// Its identity.
    pub(super) fn node() -> Identity {
        Identity {
            name: Atom::new("fake@nowhere").unwrap(),
            creation: 5,
        }
    }

    /// A term in the syntax of this node.
    pub(super) fn term(text: &str) -> Term {
        parse(text, &Fake::node()).unwrap()
    }

    /// Runs `behave` on each connection, one after the other.
    pub(super) async fn serve(self, behave: impl AsyncFn(Peer)) {
        loop {
            let (stream, _) = self.0.accept().await.unwrap();
            behave(Peer {
                stream,
                challenged: 0,
            })
            .await;
        }
    }
}

impl Peer {
    /// The next message of the handshake.
    pub(super) async fn read_message(&mut self) -> Vec<u8> {
        let length = self.stream.read_u16().await.unwrap();
        self.read(length.into()).await
    }

    /// Sends a message of the handshake.
    pub(super) async fn write_message(&mut self, message: &[u8]) {
        let length = u16::try_from(message.len()).unwrap().to_be_bytes();
        self.stream.write_all(&[&length, message].concat()).await.unwrap();
    }

    /// A current handshake, up to its own challenge.
    pub(super) async fn begin(&mut self) {
        let name = self.read_message().await;
        assert!(
            name.starts_with(b"N") && name.ends_with(b"\0\x07nowhere"),
            "{name:?}"
        );
        self.write_message(b"snamed:\0\x0aus@nowhere\0\0\0\x01").await;
        self.challenge(Fake::FLAGS).await;
    }

    /// A whole handshake.
    pub(super) async fn accept_handshake(&mut self) {
        self.begin().await;
        self.prove().await;
    }

    pub(super) async fn challenge(&mut self, flags: Flags) {
        let node = Fake::node();
        let name = node.name.text().as_bytes();
        let length = u16::try_from(name.len()).unwrap().to_be_bytes();
        let challenge = [
            &b"N"[..],
            &flags.0.to_be_bytes(),
            &CHALLENGE.to_be_bytes(),
            &node.creation.to_be_bytes(),
            &length,
            name,
        ];
        self.write_message(&challenge.concat()).await;
    }

    /// The challenge of version 5, by a node with few capabilities.
    pub(super) async fn old_challenge(&mut self) {
        let name = Fake::node().name;
        let flags = (Flags::OURS.low() & 0x7_ffff).to_be_bytes();
        let challenge = [
            &b"n\0\x05"[..],
            &flags,
            &CHALLENGE.to_be_bytes(),
            name.text().as_bytes(),
        ];
        self.write_message(&challenge.concat()).await;
    }

    /// Checks the client's proof, and sends its own.
    pub(super) async fn prove(&mut self) {
        let reply = self.read_message().await;
        let (challenge, digest) = reply.strip_prefix(b"r").unwrap().split_at(4);
        assert_eq!(digest, digest_of(CHALLENGE));
        self.challenged = u32::from_be_bytes(challenge.try_into().unwrap());
        let digest = digest_of(self.challenged);
        self.write_message(&[&b"a"[..], &digest].concat()).await;
    }

    /// The next message.
    pub(super) async fn frame(&mut self) -> Vec<u8> {
        let length = self.stream.read_u32().await.unwrap();
        self.read(usize::try_from(length).unwrap()).await
    }

    /// The next message as terms; an empty list if it has no second term.
    pub(super) async fn receive(&mut self) -> (Term, Term) {
        let frame = self.frame().await;
        let (control, rest) = decode(frame.strip_prefix(b"p").unwrap()).unwrap();
        let content = decode(rest).map_or(Term::List(Vec::new()), |(content, _)| content);
        (control, content)
    }

    /// The first term of the next message, as text.
    pub(super) async fn receive_signal(&mut self) -> String {
        flat(&self.receive().await.0, &Fake::node())
    }

    /// The next message, which requests a call; returns the reference of its answer.
    pub(super) async fn request(&mut self) -> Term {
        let (control, arguments) = self.receive().await;
        let parts = control.as_tuple().unwrap();
        assert_eq!(parts[0], Term::Integer(29));
        assert_eq!(parts[1], arguments.as_list().unwrap()[0]);
        parts[1].clone()
    }

    /// Reports that the call has begun, in `<0.7.0>`.
    pub(super) async fn begun(&mut self, id: &Term) {
        let mut parts = vec![Term::Integer(31), id.clone(), Fake::term("<0.1.0>")];
        parts.extend([Term::Integer(3), Fake::term("<0.7.0>")]);
        self.send(&Term::Tuple(parts), None).await;
    }

    /// Waits for the message that kills the process of the call, and skips messages to others.
    pub(super) async fn expect_kill(&mut self) {
        loop {
            let (control, content) = self.receive().await;
            let control = flat(&control, &Fake::node());
            if control.starts_with("{26,") {
                assert!(control.ends_with(",<0.7.0>}"), "{control}");
                assert_eq!(content, Term::atom("kill"));
                return;
            }
        }
    }

    /// Reports that the call was killed.
    pub(super) async fn killed(&mut self, id: &Term) {
        self.ended(id, &Term::atom("killed")).await;
    }

    /// Reports that the call has ended.
    pub(super) async fn down(&mut self, id: &Term, how: &'static str, value: &str) {
        let reason = Term::Tuple(vec![id.clone(), Term::atom(how), Fake::term(value)]);
        self.ended(id, &reason).await;
    }

    async fn ended(&mut self, id: &Term, reason: &Term) {
        let parts = [
            Term::Integer(28),
            Fake::term("<0.7.0>"),
            Fake::term("<0.1.0>"),
            id.clone(),
        ];
        self.send(&Term::Tuple(parts.into()), Some(reason)).await;
    }

    pub(super) async fn send(&mut self, control: &Term, content: Option<&Term>) {
        self.stream.write_all(&message(control, content)).await.unwrap();
    }

    /// A message in its encoded form.
    #[expect(clippy::unused_self, reason = "it reads as what the peer says")]
    pub(super) fn signal(&self, control: &str, content: Option<&Term>) -> Vec<u8> {
        message(&Fake::term(control), content)
    }

    async fn read(&mut self, length: usize) -> Vec<u8> {
        let mut message = vec![0; length];
        self.stream.read_exact(&mut message).await.unwrap();
        message
    }
}

fn message(control: &Term, content: Option<&Term>) -> Vec<u8> {
    let mut body = vec![b'p'];
    encode(control, &mut body);
    if let Some(content) = content {
        encode(content, &mut body);
    }
    [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
}

fn digest_of(challenge: u32) -> [u8; 16] {
    md5::compute([COOKIE, challenge.to_string().as_bytes()].concat()).0
}
