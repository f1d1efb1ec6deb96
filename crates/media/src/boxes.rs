//! Walking ISO/IEC 14496-12 boxes in memory that somebody else filled.
//!
//! Not here: what any box means.

/// Bytes that break the rules of the file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Reads big-endian fields and never past the end.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self
            .0
            .split_at_checked(count)
            .ok_or(Malformed("a field reaches past its box"))?;
        self.0 = tail;
        Ok(head)
    }

    pub(crate) fn skip(&mut self, count: usize) -> Result<(), Malformed> {
        self.take(count).map(drop)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, tail) = self
            .0
            .split_first_chunk::<N>()
            .ok_or(Malformed("a field reaches past its box"))?;
        self.0 = tail;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[b]| b)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Malformed> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Malformed> {
        self.array().map(i64::from_be_bytes)
    }

    pub(crate) fn fourcc(&mut self) -> Result<[u8; 4], Malformed> {
        self.array()
    }

    /// Version and flags of a full box.
    pub(crate) fn full(&mut self) -> Result<(u8, u32), Malformed> {
        let word = self.u32()?;
        Ok(((word >> 24) as u8, word & 0x00ff_ffff))
    }
}

/// The first bytes of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: [u8; 4],
    /// 8 or 16.
    pub(crate) len: u64,
    /// Bytes of the whole box, at least `len`.
    pub(crate) size: u64,
}

impl Header {
    /// `None` when more bytes are needed. A box that reaches to the end of the file (size 0) is
    /// refused: nothing that streams can use it, and zero-filled pages look like it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        let mut c = Cursor::new(bytes);
        let (Ok(size), Ok(kind)) = (c.u32(), c.fourcc()) else {
            return Ok(None);
        };
        let (len, size) = match size {
            1 => match c.u64() {
                Ok(size) => (16, size),
                Err(_) => return Ok(None),
            },
            size => (8, u64::from(size)),
        };
        if size < len {
            return Err(Malformed("a box is smaller than its header"));
        }
        if !kind.iter().all(|b| (0x20..0x7f).contains(b) || *b == 0xa9) {
            return Err(Malformed("this is not a box"));
        }
        Ok(Some(Self { kind, len, size }))
    }
}

/// The boxes inside a container, one `(kind, body)` each.
pub(crate) struct Boxes<'a>(&'a [u8]);

impl<'a> Boxes<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The body of the first child of this kind.
    pub(crate) fn find(bytes: &'a [u8], kind: &[u8; 4]) -> Result<Option<&'a [u8]>, Malformed> {
        for child in Self::of(bytes) {
            let (k, body) = child?;
            if &k == kind {
                return Ok(Some(body));
            }
        }
        Ok(None)
    }
}

impl<'a> Iterator for Boxes<'a> {
    type Item = Result<([u8; 4], &'a [u8]), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        // QuickTime pads containers with up to seven zero bytes.
        if self.0.len() < 8 {
            return None;
        }
        let bytes = std::mem::take(&mut self.0);
        let header = match Header::parse(bytes) {
            Ok(Some(header)) => header,
            Ok(None) => return Some(Err(Malformed("a box reaches past its container"))),
            Err(e) => return Some(Err(e)),
        };
        let Some((whole, rest)) = usize::try_from(header.size)
            .ok()
            .and_then(|size| bytes.split_at_checked(size))
        else {
            return Some(Err(Malformed("a box reaches past its container")));
        };
        self.0 = rest;
        Some(Ok((header.kind, &whole[header.len as usize..])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_never_reaches_past_its_container() {
        let good = b"\0\0\0\x0afreeXY\0\0\0\x08skip";
        let kinds: Vec<_> = Boxes::of(good).map(|b| b.unwrap().0).collect();
        assert_eq!(kinds, [*b"free", *b"skip"]);
        assert!(Boxes::of(b"\0\0\0\x0bfreeXY").next().unwrap().is_err());
        assert!(Boxes::of(b"\0\0\0\x07freeXY").next().unwrap().is_err());
        assert!(
            Boxes::of(b"\0\0\0\x01free\xff\xff\xff\xff\xff\xff\xff\xff")
                .next()
                .unwrap()
                .is_err()
        );
        assert!(Boxes::of(&[0; 64]).next().unwrap().is_err());
        assert!(Boxes::of(&[0; 7]).next().is_none());
    }
}
