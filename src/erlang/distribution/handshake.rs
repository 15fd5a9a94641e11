//! The handshake of two nodes: each proves that it knows the cookie, without sending it.
//!
//! ```text
//!          client                            the node
//!            │  name, flags                      │
//!            ├──────────────────────────────────▶│
//!   Status   │  ok | named: its name | ..        │
//!            │◀──────────────────────────────────┤
//!  Challenge │  its name, flags, its challenge   │
//!            │◀──────────────────────────────────┤
//!            │  a challenge, MD5(cookie, its)    │
//!            ├──────────────────────────────────▶│  a wrong cookie: it closes
//!    Proof   │  MD5(cookie, the client's)        │
//!            │◀──────────────────────────────────┤
//!          [`Peer`]                              │
//! ```
//!
//! There are three [modes](HandshakeMode), to try in this order. Messages here are without their length.
//!
//! Specification: <https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html>.

use super::cookie::Cookie;
use super::flags::Flags;
use super::term::{Atom, Identity};

/// The form of the client's first message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeMode {
    /// Version 6; the node assigns a name, which it reuses later: OTP 24 and newer.
    Nameless,
    /// Version 6, with a name of the client's choice: OTP 23.
    Named,
    /// Version 5: older ones.
    Old,
}

/// A peer that has proved to know the cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The node.
    pub node: Identity,
    /// The identity of this client at the node.
    pub own: Identity,
    /// The capabilities of both.
    pub(super) flags: Flags,
}

/// A handshake in progress.
#[derive(Clone, Debug)]
pub struct Handshake {
    mode: HandshakeMode,
    own: Identity,
    cookie: Cookie,
    /// The client's challenge.
    challenge: u32,
    awaiting: Awaiting,
}

/// The result of a message.
#[derive(Debug)]
pub enum Step {
    /// Send these messages, and wait for the next one.
    Go(Handshake, Vec<Vec<u8>>),
    /// The handshake is complete.
    Done(Peer),
}

/// The handshake failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// It does not assign names; another manner may work.
    #[error("does not assign names")]
    GivesNoName,
    /// It refuses the connection.
    #[error("refuses the connection: `{0}`")]
    Refused(String),
    /// Its proof is for another cookie.
    #[error("has another cookie")]
    Cookie,
    /// Its message is not part of the protocol.
    #[error("does not speak Erlang's distribution protocol: {0}")]
    Strange(&'static str),
}

/// The expected message.
#[derive(Clone, Debug)]
enum Awaiting {
    Status,
    Challenge,
    Proof { node: Identity, flags: Flags },
}

impl Handshake {
    /// A handshake, and its first message. For a nameless one, `own` has the host only.
    #[must_use]
    pub fn begin(mode: HandshakeMode, own: Identity, cookie: Cookie, challenge: u32) -> (Handshake, Vec<u8>) {
        let name = own.name.text();
        let (name, flags) = match mode {
            HandshakeMode::Nameless => {
                let host = name.split_once('@').map_or(name, |(_, host)| host);
                (host, Flags::OURS.and(Flags::NAME_ME))
            }
            HandshakeMode::Named | HandshakeMode::Old => (name, Flags::OURS),
        };
        let message = match mode {
            HandshakeMode::Nameless | HandshakeMode::Named => [
                &b"N"[..],
                &flags.0.to_be_bytes(),
                &own.creation.to_be_bytes(),
                &length(name),
                name.as_bytes(),
            ]
            .concat(),
            HandshakeMode::Old => [&b"n\0\x05"[..], &flags.low().to_be_bytes(), name.as_bytes()].concat(),
        };
        let handshake = Handshake {
            mode,
            own,
            cookie,
            challenge,
            awaiting: Awaiting::Status,
        };
        (handshake, message)
    }

    /// Whether no message has arrived yet: a node that closes now may accept another manner.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        matches!(self.awaiting, Awaiting::Status)
    }

    /// Whether the node is checking the proof: if it closes now, it has another cookie.
    #[must_use]
    pub fn is_judged(&self) -> bool {
        matches!(self.awaiting, Awaiting::Proof { .. })
    }

    /// Handles the node's next message.
    pub fn handle(self, message: &[u8]) -> Result<Step, HandshakeError> {
        match self.awaiting {
            Awaiting::Status => self.status(message),
            Awaiting::Challenge => self.challenged(message),
            Awaiting::Proof { ref node, flags } => {
                let node = node.clone();
                let digest = message.strip_prefix(b"a").ok_or(BAD_PROOF)?;
                if digest != digest_of(&self.cookie, self.challenge) {
                    return Err(HandshakeError::Cookie);
                }
                let own = self.own;
                Ok(Step::Done(Peer { node, own, flags }))
            }
        }
    }

    // Private

    fn status(mut self, message: &[u8]) -> Result<Step, HandshakeError> {
        let status = message.strip_prefix(b"s").ok_or(BAD_STATUS)?;
        let mut answers = Vec::new();
        if let Some(named) = status.strip_prefix(b"named:") {
            let (name, rest) = split_name(named).ok_or(BAD_STATUS)?;
            let (creation, _) = split_u32(rest).ok_or(BAD_STATUS)?;
            self.own = Identity { name, creation };
        } else {
            match status {
                b"ok" | b"ok_simultaneous" if self.mode == HandshakeMode::Nameless => {
                    return Err(HandshakeError::GivesNoName);
                }
                b"ok" | b"ok_simultaneous" => {}
                // It has not yet noticed that an earlier connection of this name has ended.
                b"alive" => answers.push(b"strue".to_vec()),
                b"nok" | b"not_allowed" => {
                    return Err(HandshakeError::Refused(
                        String::from_utf8_lossy(status).into_owned(),
                    ));
                }
                _ => return Err(BAD_STATUS),
            }
        }
        self.awaiting = Awaiting::Challenge;
        Ok(Step::Go(self, answers))
    }

    fn challenged(mut self, message: &[u8]) -> Result<Step, HandshakeError> {
        let (node, flags, challenge) = challenge_of(message).ok_or(BAD_CHALLENGE)?;
        let mut answers = Vec::new();
        if self.mode == HandshakeMode::Old && message.starts_with(b"N") {
            // The half that did not fit into the first message.
            let high = Flags::OURS.high().to_be_bytes();
            answers.push([&b"c"[..], &high, &self.own.creation.to_be_bytes()].concat());
        }
        let digest = digest_of(&self.cookie, challenge);
        answers.push([&b"r"[..], &self.challenge.to_be_bytes(), &digest].concat());
        let flags = Flags(flags.0 & Flags::OURS.0);
        self.awaiting = Awaiting::Proof { node, flags };
        Ok(Step::Go(self, answers))
    }
}

// Private

const BAD_STATUS: HandshakeError = HandshakeError::Strange("its first message is not a status");
const BAD_CHALLENGE: HandshakeError = HandshakeError::Strange("its second message is not a challenge");
const BAD_PROOF: HandshakeError = HandshakeError::Strange("its last message is not a digest");

fn length(name: &str) -> [u8; 2] {
    // 255 characters of 4 bytes at most.
    u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes()
}

fn digest_of(cookie: &Cookie, challenge: u32) -> [u8; 16] {
    md5::compute([cookie.secret(), challenge.to_string().as_bytes()].concat()).0
}

/// The node, its capabilities and its challenge. A message without version and creation is of
/// version 5.
fn challenge_of(message: &[u8]) -> Option<(Identity, Flags, u32)> {
    if let Some(rest) = message.strip_prefix(b"N") {
        let (high, rest) = split_u32(rest)?;
        let (low, rest) = split_u32(rest)?;
        let (challenge, rest) = split_u32(rest)?;
        let (creation, rest) = split_u32(rest)?;
        let (name, _) = split_name(rest)?;
        let flags = Flags(u64::from(high) << 32 | u64::from(low));
        return Some((Identity { name, creation }, flags, challenge));
    }
    let rest = message.strip_prefix(b"n\0\x05")?;
    let (low, rest) = split_u32(rest)?;
    let (challenge, rest) = split_u32(rest)?;
    let name = name_of(rest)?;
    Some((Identity { name, creation: 0 }, Flags(low.into()), challenge))
}

fn split_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*number), rest))
}

fn split_name(bytes: &[u8]) -> Option<(Atom, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (name, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    Some((name_of(name)?, rest))
}

fn name_of(bytes: &[u8]) -> Option<Atom> {
    let name = str::from_utf8(bytes).ok()?;
    Atom::new(name).ok().filter(|_| name.contains('@'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn own() -> Identity {
        Identity {
            name: Atom::known("clusterctl-7@localhost"),
            creation: 3,
        }
    }

    fn cookie() -> Cookie {
        Cookie::new(b"secret").unwrap()
    }

    fn begun(mode: HandshakeMode) -> (Handshake, Vec<u8>) {
        Handshake::begin(mode, own(), cookie(), 42)
    }

    fn go(handshake: Handshake, message: &[u8]) -> (Handshake, Vec<Vec<u8>>) {
        match handshake.handle(message).unwrap() {
            Step::Go(next, answers) => (next, answers),
            Step::Done(peer) => panic!("{peer:?}"),
        }
    }

    fn challenge() -> Vec<u8> {
        let flags = (Flags::OURS.0 | 1).to_be_bytes();
        [&b"N"[..], &flags, &[0, 0, 0, 9, 0, 0, 0, 5, 0, 3], b"a@b"].concat()
    }

    fn proof() -> Vec<u8> {
        [&b"a"[..], &digest_of(&cookie(), 42)].concat()
    }

    #[test]
    fn a_current_node_assigns_a_name() {
        let (handshake, name) = begun(HandshakeMode::Nameless);
        assert_eq!(name[0], b'N');
        assert!(name.ends_with(b"\0\x09localhost"));
        let (handshake, answers) = go(handshake, b"snamed:\0\x04xy@b\0\0\0\x06");
        assert!(answers.is_empty());
        let (handshake, answers) = go(handshake, &challenge());
        // MD5 of `secret9`, as computed by `erlang:md5`.
        let digest = 0x69bd_6d5c_e8a5_4983_2ce0_3561_a32f_efe2_u128;
        assert_eq!(answers[0].len(), 21);
        assert_eq!(&answers[0][..5], b"r\0\0\0\x2a");
        assert_eq!(answers[0][5..], digest.to_be_bytes());
        assert!(handshake.is_judged());
        match handshake.handle(&proof()).unwrap() {
            Step::Done(peer) => {
                assert_eq!(peer.own.name.text(), "xy@b");
                assert_eq!(peer.own.creation, 6);
                assert_eq!(peer.node.name.text(), "a@b");
                assert_eq!(peer.node.creation, 5);
                assert!(peer.flags.has(Flags::SPAWN));
            }
            Step::Go(..) => panic!("not done"),
        }
    }

    #[test]
    fn a_node_that_assigns_no_names_needs_another_manner() {
        let (handshake, _) = begun(HandshakeMode::Nameless);
        assert_eq!(handshake.handle(b"sok").unwrap_err(), HandshakeError::GivesNoName);
        let (handshake, name) = begun(HandshakeMode::Named);
        assert!(name.ends_with(b"clusterctl-7@localhost"));
        let (handshake, answers) = go(handshake, b"salive");
        assert_eq!(answers, [b"strue"]);
        assert!(!handshake.is_unanswered());
    }

    #[test]
    fn an_old_node_gets_messages_of_version_5() {
        let (handshake, name) = begun(HandshakeMode::Old);
        assert_eq!(&name[..3], b"n\0\x05");
        let (handshake, _) = go(handshake, b"sok");
        let (handshake, answers) = go(handshake, b"n\0\x05\0\x01\0\0\0\0\0\x09a@b");
        assert_eq!(answers.len(), 1, "no complement");
        match handshake.handle(&proof()).unwrap() {
            Step::Done(peer) => assert!(!peer.flags.has(Flags::SPAWN)),
            Step::Go(..) => panic!("not done"),
        }
    }

    #[test]
    fn a_node_that_turns_out_to_be_newer_gets_the_rest() {
        let (handshake, _) = begun(HandshakeMode::Old);
        let (handshake, _) = go(handshake, b"sok");
        let (_, answers) = go(handshake, &challenge());
        assert_eq!(answers[0], [b'c', 0, 0, 0, 5, 0, 0, 0, 3]);
        assert_eq!(answers[1][0], b'r');
    }

    #[test]
    fn each_failure_has_its_error() {
        let at = |messages: &[&[u8]]| {
            let (mut handshake, _) = begun(HandshakeMode::Named);
            for message in &messages[..messages.len() - 1] {
                handshake = go(handshake, message).0;
            }
            handshake
                .handle(messages[messages.len() - 1])
                .unwrap_err()
                .to_string()
        };
        assert_eq!(at(&[b"snot_allowed"]), "refuses the connection: `not_allowed`");
        assert_eq!(
            at(&[b"HTTP/1.1 400 Bad Request"]),
            "does not speak Erlang's distribution protocol: its first message is not a status"
        );
        assert_eq!(
            at(&[b"sok", b"N"]),
            "does not speak Erlang's distribution protocol: its second message is not a challenge"
        );
        assert_eq!(
            at(&[b"sok", &challenge(), b"a0123456789abcdef"]),
            "has another cookie"
        );
    }

    proptest! {
        #[test]
        fn any_message_is_handled(
            messages in prop::collection::vec(
                prop_oneof![
                    Just(b"sok".to_vec()), Just(challenge()), Just(proof()), prop::collection::vec(any::<u8>(), 0..40),
                ],
                0..5,
            ),
            mode in prop_oneof![Just(HandshakeMode::Nameless), Just(HandshakeMode::Named), Just(HandshakeMode::Old)],
        ) {
            let (mut handshake, _) = begun(mode);
            for message in messages {
                match handshake.handle(&message) {
                    Ok(Step::Go(next, _)) => handshake = next,
                    _ => break,
                }
            }
        }
    }
}
