//! Whether bytes are a whole JPEG picture of a sane size (ITU-T T.81 annex B).
//!
//! Not here: decoding. Browsers do that, and they look again.

use super::PictureError;

/// Pixels of a side at most.
const LONGEST_SIDE: u16 = 16_384;
/// What every JPEG picture begins with.
pub(super) const BEGIN: [u8; 3] = [0xff, 0xd8, 0xff];

/// Finds what makes bytes no picture.
pub(super) fn check(bytes: &[u8]) -> Result<(), PictureError> {
    if !bytes.starts_with(&BEGIN) {
        return Err(PictureError::NotJpeg);
    }
    let (width, height, rest) =
        frame_header(&bytes[2..]).ok_or(PictureError::Broken("it has no frame header"))?;
    if !(1..=LONGEST_SIDE).contains(&width) || !(1..=LONGEST_SIDE).contains(&height) {
        return Err(PictureError::Broken("its size cannot be"));
    }
    // Cameras append text and zeros; the end marker is somewhere, or the picture was cut short.
    if !rest.windows(2).any(|pair| pair == [0xff, 0xd9]) {
        return Err(PictureError::Broken("its end is missing"));
    }
    Ok(())
}

/// Width and height by the first frame header, and what follows it.
fn frame_header(mut rest: &[u8]) -> Option<(u16, u16, &[u8])> {
    loop {
        let marker = rest.iter().position(|b| *b != 0xff).filter(|n| *n > 0)?;
        let kind = rest[marker];
        rest = &rest[marker + 1..];
        if matches!(kind, 0x01 | 0xd0..=0xd7) {
            continue;
        }
        // A scan, or the end, before any frame.
        if matches!(kind, 0xd8..=0xda) {
            return None;
        }
        let length = usize::from(u16::from_be_bytes(*rest.first_chunk()?));
        let body = rest.get(2..length)?;
        if matches!(kind, 0xc0..=0xcf) && !matches!(kind, 0xc4 | 0xc8 | 0xcc) {
            let [_, h1, h2, w1, w2] = *body.first_chunk()?;
            let (width, height) = (u16::from_be_bytes([w1, w2]), u16::from_be_bytes([h1, h2]));
            return Some((width, height, &rest[length..]));
        }
        rest = &rest[length..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(width: u16, height: u16) -> Vec<u8> {
        let mut bytes = vec![
            0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xff, 0xc0, 0, 8, 8,
        ];
        bytes.extend(height.to_be_bytes());
        bytes.extend(width.to_be_bytes());
        bytes.push(0);
        bytes.extend([0xff, 0xda, 0, 2, 1, 2, 3, 0xff, 0xd9, 0, 0]);
        bytes
    }

    #[test]
    fn whole_pictures_pass_and_others_say_why_not() {
        let good = made(640, 480);
        assert_eq!(check(&good), Ok(()));
        assert_eq!(check(b"<html>"), Err(PictureError::NotJpeg));
        assert_eq!(check(&[]), Err(PictureError::NotJpeg));
        for (width, height) in [(0, 480), (640, 0), (40_000, 2)] {
            assert!(matches!(
                check(&made(width, height)),
                Err(PictureError::Broken("its size cannot be"))
            ));
        }
        // Cut anywhere before its end marker is complete.
        for end in 3..good.len() - 2 {
            assert!(
                matches!(check(&good[..end]), Err(PictureError::Broken(_))),
                "{end}"
            );
        }
        for junk in [&[0xff, 0xd8, 0xff][..], &[0xff, 0xd8, 0xff, 0xe0, 0, 0]] {
            assert!(matches!(check(junk), Err(PictureError::Broken(_))));
        }
    }
}
