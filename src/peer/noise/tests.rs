use proptest::prelude::*;
use snow::{HandshakeState, TransportState};

use super::*;

/// The other implementation, with what both know.
fn snow(before: &Before) -> snow::Builder<'_> {
    let builder = snow::Builder::new(PROTOCOL.parse().unwrap());
    builder.psk(0, &before.psk).unwrap().prologue(&before.prologue).unwrap()
}

/// For a property that fails. No program prints its keys.
impl fmt::Debug for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Before { prologue, psk, private } = self;
        write!(f, "{prologue:02x?} {psk:02x?} {private:02x?}")
    }
}

/// Its next message.
fn says(other: &mut HandshakeState) -> Vec<u8> {
    let mut message = vec![0; 200];
    let length = other.write_message(&[], &mut message).unwrap();
    message.truncate(length);
    message
}

fn hears(other: &mut HandshakeState, message: &[u8]) {
    assert_eq!(other.read_message(message, &mut [0; 200]), Ok(0));
}

/// Messages both ways, in turns, each of which the other side opens.
fn agree(ours: &mut Seal, theirs: &mut TransportState, contents: &[Vec<u8>]) {
    let mut buffer = vec![0; 65_535];
    for content in contents {
        let sealed = ours.seal(content).unwrap();
        let length = theirs.read_message(&sealed, &mut buffer).unwrap();
        assert_eq!(&buffer[..length], content);
        let length = theirs.write_message(content, &mut buffer).unwrap();
        assert_eq!(ours.open(&buffer[..length]).as_ref(), Ok(content));
    }
}

fn before() -> impl Strategy<Value = Before> {
    let bytes = prop::collection::vec(any::<u8>(), 0..80);
    (bytes, any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(|(prologue, psk, private)| Before {
        prologue,
        psk,
        private,
    })
}

fn contents() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn another_implementation_answers(before in before(), contents in contents()) {
        let mut other = snow(&before).build_responder().unwrap();
        let (mut initiator, first) = Initiator::begin(&before);
        hears(&mut other, &first);
        let mut seal = initiator.finish(&says(&mut other)).unwrap();
        agree(&mut seal, &mut other.into_transport_mode().unwrap(), &contents);
    }

    #[test]
    fn another_implementation_asks(before in before(), contents in contents()) {
        let mut other = snow(&before).build_initiator().unwrap();
        let (mut seal, second) = respond(&before, &says(&mut other)).unwrap();
        hears(&mut other, &second);
        agree(&mut seal, &mut other.into_transport_mode().unwrap(), &contents);
    }

    #[test]
    fn no_bit_may_differ(before in before(), place in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let flip = |message: &mut Vec<u8>| {
            let place = place.index(message.len());
            message[place] ^= 1 << bit;
        };
        let (mut initiator, mut first) = Initiator::begin(&before);
        let (mut seal, mut second) = respond(&before, &first).unwrap();
        flip(&mut first);
        prop_assert!(respond(&before, &first).is_err());
        let mut sealed = seal.seal(b"content").unwrap();
        flip(&mut sealed);
        flip(&mut second);
        prop_assert!(initiator.finish(&second).is_err());
        let (mut initiator, first) = Initiator::begin(&before);
        let (_, second) = respond(&before, &first).unwrap();
        prop_assert_eq!(initiator.finish(&second).unwrap().open(&sealed), Err(Forged));
    }

    #[test]
    fn whatever_is_heard_does_no_harm(before in before(), message in prop::collection::vec(any::<u8>(), 0..100)) {
        prop_assert!(respond(&before, &message).is_err());
        let (mut initiator, _) = Initiator::begin(&before);
        prop_assert!(initiator.finish(&message).is_err());
    }
}

fn pair() -> [Seal; 2] {
    let before = Before { prologue: b"alike".to_vec(), psk: [7; 32], private: [9; 32] };
    let (mut initiator, first) = Initiator::begin(&before);
    let (responder, second) = respond(&before, &first).unwrap();
    [initiator.finish(&second).unwrap(), responder]
}

#[test]
fn other_keys_and_other_prologues_are_refused() {
    let before = Before { prologue: b"alike".to_vec(), psk: [7; 32], private: [9; 32] };
    let (_, first) = Initiator::begin(&before);
    assert!(respond(&before, &first).is_ok());
    assert!(respond(&Before { psk: [8; 32], ..before.clone() }, &first).is_err());
    assert!(respond(&Before { prologue: b"another".to_vec(), ..before }, &first).is_err());
}

#[test]
fn messages_open_in_their_order_each_once() {
    let [mut ours, mut theirs] = pair();
    let [first, second] = [b"first", b"other"].map(|content| ours.seal(content).unwrap());
    assert_eq!(theirs.open(&second), Err(Forged));
    assert_eq!(theirs.open(&first).as_deref(), Ok(&b"first"[..]));
    assert_eq!(theirs.open(&first), Err(Forged));
    assert_eq!(theirs.open(&second).as_deref(), Ok(&b"other"[..]));
}

#[test]
fn a_side_does_not_open_its_own_messages() {
    let [mut ours, _] = pair();
    let sealed = ours.seal(b"mine").unwrap();
    assert_eq!(ours.open(&sealed), Err(Forged));
}

#[test]
fn messages_have_the_length_that_noise_allows() {
    let [mut ours, mut theirs] = pair();
    let longest = vec![1; CONTENT_BYTES_MAX];
    let sealed = ours.seal(&longest).unwrap();
    assert_eq!(sealed.len(), 65_535);
    assert_eq!(theirs.open(&sealed), Ok(longest));
    assert_eq!(ours.seal(&vec![1; CONTENT_BYTES_MAX + 1]), None);
}

#[test]
fn the_last_nonce_is_never_used() {
    let mut cipher = Cipher { key: [1; 32], next: u64::MAX - 1 };
    assert!(cipher.seal(&[], b"last").is_some());
    assert_eq!(cipher.seal(&[], b"one more"), None);
}
