//! The 24-byte header in front of every binary message of a live socket (`docs/protocol.md` §2).

use bytes::{BufMut, Bytes, BytesMut};

/// What follows the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// `ftyp moov`.
    Init = 0,
    /// Video.
    Video = 1,
    /// Audio.
    Audio = 2,
}

/// The header's fields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    /// What follows.
    pub(crate) kind: Kind,
    /// A decoder can start here.
    pub(crate) key: bool,
    /// Silence made for the viewer.
    pub(crate) filler: bool,
    /// Ticks; 0 is unknown.
    pub(crate) duration: u32,
    /// Ticks from the start of the run.
    pub(crate) decode_time: i64,
    /// Milliseconds since 1970 UTC.
    pub(crate) captured_ms: i64,
}

/// A whole message.
pub(crate) fn message(head: &Head, payload: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(24 + payload.len());
    out.put_u8(head.kind as u8);
    out.put_u8(u8::from(head.key) | u8::from(head.filler) << 1);
    out.put_u16(0);
    out.put_u32(head.duration);
    out.put_i64(head.decode_time);
    out.put_i64(head.captured_ms);
    out.put_slice(payload);
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_where_the_protocol_says() {
        let out = message(
            &Head {
                kind: Kind::Audio,
                key: true,
                filler: true,
                duration: 0x0102_0304,
                decode_time: -2,
                captured_ms: 0x0506,
            },
            b"xy",
        );
        assert_eq!(
            out[..],
            [
                2, 3, 0, 0, 1, 2, 3, 4, 255, 255, 255, 255, 255, 255, 255, 254, 0, 0, 0, 0, 0, 0,
                5, 6, b'x', b'y'
            ]
        );
    }
}
