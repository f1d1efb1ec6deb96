//! What a clip says of itself: its name, for players, and what a database is made again from.

use oriel_api::ChannelId;

use crate::{
    boxes::{Cursor, Header},
    init::{BuildError, Out, container, raw},
};

/// `uuid` type of the box that says what a clip shows.
pub const CLIP_MARK: [u8; 16] = *b"oriel-clip-v1\0\0\0";
/// Bytes at the beginning of a clip that hold its mark.
pub const CLIP_MARK_WITHIN: usize = 1024;
/// Bytes of a name: the mark comes behind it.
const LONGEST_TITLE: usize = 400;
/// `und`, packed as ISO/IEC 14496-12 section 8.4.2 does: above the old numbers of Macintosh
/// languages, so the text is UTF-8 (QuickTime File Format, user data text).
const LANGUAGE: u16 = 0x55c4;

/// What a clip shows; see `docs/protocol.md` section 6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClipMark {
    /// Channel.
    pub channel: ChannelId,
    /// First frame shown, milliseconds since 1970 UTC.
    pub start_ms: i64,
    /// End of the last frame.
    pub end_ms: i64,
    /// Its name when it was made.
    pub title: Option<String>,
}

impl ClipMark {
    /// Reads it from the first [`CLIP_MARK_WITHIN`] bytes of a file, or more. `None` when it is
    /// not a clip of ours.
    pub fn find(head: &[u8]) -> Option<Self> {
        let (mut at, mut title) = (0, None);
        // `moov` and `udta` are entered, whatever else comes before the mark is stepped over.
        for _ in 0..16 {
            let rest = head.get(at..)?;
            let header = Header::parse(rest).ok()??;
            let body = rest.get(usize::try_from(header.len).ok()?..)?;
            match &header.kind {
                b"moov" | b"udta" => at = at.checked_add(header.len as usize)?,
                b"\xa9nam" => {
                    title = read_title(body);
                    at = at.checked_add(usize::try_from(header.size).ok()?)?;
                }
                b"uuid" if body.starts_with(&CLIP_MARK) => {
                    let mut c = Cursor::new(&body[CLIP_MARK.len()..]);
                    let (start_ms, end_ms) = (c.i64().ok()?, c.i64().ok()?);
                    let channel = std::str::from_utf8(c.take(12).ok()?).ok()?.parse().ok()?;
                    return Some(Self {
                        channel,
                        start_ms,
                        end_ms,
                        title,
                    });
                }
                _ => at = at.checked_add(usize::try_from(header.size).ok()?)?,
            }
        }
        None
    }

    /// Writes `udta`: the name where players look for it, and the mark.
    pub(super) fn encode(&self, out: &mut Out) -> Result<(), BuildError> {
        container(out, b"udta", |out| {
            let title = self.title.as_deref().map(shortened).unwrap_or_default();
            if !title.is_empty() {
                let mut body = (title.len() as u16).to_be_bytes().to_vec();
                body.extend_from_slice(&LANGUAGE.to_be_bytes());
                body.extend_from_slice(title.as_bytes());
                raw(out, b"\xa9nam", &body)?;
            }
            let mut body = CLIP_MARK.to_vec();
            body.extend_from_slice(&self.start_ms.to_be_bytes());
            body.extend_from_slice(&self.end_ms.to_be_bytes());
            body.extend_from_slice(self.channel.as_str().as_bytes());
            Ok(raw(out, b"uuid", &body)?)
        })
    }
}

/// The first bytes of a title that are characters.
fn shortened(title: &str) -> &str {
    &title[..title.floor_char_boundary(LONGEST_TITLE)]
}

/// The text of a QuickTime user data item: length, language, UTF-8.
fn read_title(body: &[u8]) -> Option<String> {
    let mut c = Cursor::new(body);
    let len = c.u16().ok()?;
    c.u16().ok()?;
    let text = std::str::from_utf8(c.take(usize::from(len)).ok()?).ok()?;
    let wrong = text.is_empty() || text.chars().any(char::is_control);
    (!wrong).then(|| text.to_owned())
}
