//! The framing of jobs that read frames or write packets: `u32` length, `i64` time, `u8` flags,
//! payload; all big endian.

use bytes::{Buf, BufMut, Bytes, BytesMut};

const HEADER: usize = 13;

/// One packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Ticks of the track: 90 kHz for video, samples for audio.
    pub time: i64,
    /// Bit 0: key; bit 1: codec configuration.
    pub flags: u8,
    /// Payload.
    pub data: Bytes,
}

/// A packet announced itself longer than is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a packet is longer than allowed")]
pub struct PacketTooLong;

impl Packet {
    /// Flag of a key frame.
    pub const KEY: u8 = 1;
    /// Flag of codec configuration.
    pub const CONFIG: u8 = 2;
    /// Longest payload of any packet.
    pub const LONGEST: usize = 16 * 1024 * 1024;

    /// Appends the packet as it stands on the pipe.
    pub fn put(&self, out: &mut BytesMut) -> Result<(), PacketTooLong> {
        let length = u32::try_from(self.data.len()).map_err(|_| PacketTooLong)?;
        if self.data.len() > Self::LONGEST {
            return Err(PacketTooLong);
        }
        out.reserve(HEADER + self.data.len());
        out.put_u32(length);
        out.put_i64(self.time);
        out.put_u8(self.flags);
        out.put_slice(&self.data);
        Ok(())
    }

    /// Takes the next whole packet from what has arrived; `None` when more must come.
    pub fn take(buffer: &mut BytesMut, longest: usize) -> Result<Option<Self>, PacketTooLong> {
        let Some(mut header) = buffer.get(..HEADER) else {
            return Ok(None);
        };
        let length = header.get_u32() as usize;
        let (time, flags) = (header.get_i64(), header.get_u8());
        if length > longest {
            return Err(PacketTooLong);
        }
        if buffer.len() < HEADER + length {
            return Ok(None);
        }
        buffer.advance(HEADER);
        let data = buffer.split_to(length).freeze();
        Ok(Some(Self { time, flags, data }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_out_whole_and_long_ones_are_refused() {
        let packet = Packet {
            time: -7,
            flags: Packet::CONFIG,
            data: Bytes::from_static(b"abc"),
        };
        let mut wire = BytesMut::new();
        packet.put(&mut wire).unwrap();
        wire.put_slice(b"X");
        let mut part = BytesMut::from(&wire[..15]);
        assert_eq!(Packet::take(&mut part, 10), Ok(None));
        assert_eq!(Packet::take(&mut wire, 3), Ok(Some(packet)));
        assert_eq!(&wire[..], b"X");
        let mut wire = BytesMut::new();
        wire.put_u32(u32::MAX);
        wire.put_bytes(0, 9);
        assert_eq!(Packet::take(&mut wire, Packet::LONGEST), Err(PacketTooLong));
    }
}
