//! Packets on stdin and stdout: `u32 length`, `i64 time`, `u8 flags`, payload; big endian.

use std::io::{self, Read, Write};

/// A longer payload is an error.
pub const LONGEST: usize = 16 << 20;
/// Flag of a key frame.
pub const KEY: u8 = 1;
/// Flag of a codec configuration.
pub const CONFIG: u8 = 2;

/// One packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Ticks of the track.
    pub time: i64,
    /// [`KEY`], [`CONFIG`].
    pub flags: u8,
    /// Payload.
    pub payload: Vec<u8>,
}

impl Packet {
    /// The next packet; `None` at an end between packets.
    pub fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let mut head = [0u8; 13];
        let mut filled = 0;
        while filled < head.len() {
            match from.read(&mut head[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        let [l0, l1, l2, l3, t @ .., flags] = head;
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        if length > LONGEST {
            return Err(io::Error::other("a packet is longer than 16 MiB"));
        }
        // Grows with what really comes, not with what a header promises.
        let mut payload = Vec::new();
        from.take(length as u64).read_to_end(&mut payload)?;
        if payload.len() < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Some(Self {
            time: i64::from_be_bytes(t),
            flags,
            payload,
        }))
    }

    /// Writes a packet and flushes.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let length = u32::try_from(self.payload.len())
            .ok()
            .filter(|n| *n as usize <= LONGEST)
            .ok_or_else(|| io::Error::other("a packet is longer than 16 MiB"))?;
        let mut bytes = Vec::with_capacity(13 + self.payload.len());
        bytes.extend(length.to_be_bytes());
        bytes.extend(self.time.to_be_bytes());
        bytes.push(self.flags);
        bytes.extend(&self.payload);
        to.write_all(&bytes)?;
        to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_wire_and_refuses_what_is_too_long_or_torn() {
        let packet = Packet {
            time: -7,
            flags: KEY,
            payload: vec![1, 2, 3],
        };
        let mut wire = Vec::new();
        packet.write(&mut wire).unwrap();
        assert_eq!(wire[..4], [0, 0, 0, 3]);
        let mut reader = wire.as_slice();
        assert_eq!(Packet::read(&mut reader).unwrap(), Some(packet));
        assert_eq!(Packet::read(&mut reader).unwrap(), None);
        assert!(Packet::read(&mut &wire[..wire.len() - 1]).is_err());
        assert!(Packet::read(&mut &wire[..5]).is_err());
        wire[0] = 0xff;
        assert!(Packet::read(&mut wire.as_slice()).is_err());
    }
}
