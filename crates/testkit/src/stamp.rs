//! The time a picture was drawn at, as blocks that survive encoding and scaling.
//!
//! Layout, from the top-left corner: three rows of 24 square blocks, each [`block`] pixels wide
//! and high, white for 1 and black for 0, most significant bit first. Row 0 holds the upper 24
//! bits of the wall clock in milliseconds since 1970 UTC, row 1 the lower 24, row 2 the
//! complement of row 1. Read each block at its centre; light is 1. In a picture that is shown
//! scaled, scale the block by shown width / coded width.

/// Blocks in a row.
pub const COLUMNS: u32 = 24;
/// Rows.
pub const ROWS: u32 = 3;

/// Width and height of a block in pixels for a picture of this coded width: 8 for every full 480
/// pixels, at least 8.
pub const fn block(width: u32) -> u32 {
    let times = width / 480;
    8 * if times == 0 { 1 } else { times }
}

/// Draws a time (48 bits are kept) into the luma plane of a picture.
pub fn draw(luma: &mut [u8], stride: usize, width: u32, unix_ms: u64) {
    let block = block(width) as usize;
    for (row, bits) in rows(unix_ms).into_iter().enumerate() {
        for column in 0..COLUMNS as usize {
            let light = bits >> (COLUMNS as usize - 1 - column) & 1 == 1;
            let value = if light { 235 } else { 16 };
            for y in row * block..(row + 1) * block {
                let start = y * stride + column * block;
                if let Some(line) = luma.get_mut(start..start + block) {
                    line.fill(value);
                }
            }
        }
    }
}

/// Reads a time back. `luma` gives the brightness (0-255) at a pixel of the coded picture.
/// `None` when there is no intact stamp.
pub fn read(width: u32, luma: impl Fn(u32, u32) -> u8) -> Option<u64> {
    let block = block(width);
    let mut found = [0u32; ROWS as usize];
    for (row, bits) in found.iter_mut().enumerate() {
        for column in 0..COLUMNS {
            let x = column * block + block / 2;
            let y = row as u32 * block + block / 2;
            *bits = *bits << 1 | u32::from(luma(x, y) > 128);
        }
    }
    let [upper, lower, check] = found;
    (check == !lower & 0xff_ffff).then_some(u64::from(upper) << 24 | u64::from(lower))
}

fn rows(unix_ms: u64) -> [u32; ROWS as usize] {
    let lower = (unix_ms & 0xff_ffff) as u32;
    [
        (unix_ms >> 24 & 0xff_ffff) as u32,
        lower,
        !lower & 0xff_ffff,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_drew_at_every_size() {
        for width in [320u32, 640, 1280, 1920] {
            let mut luma = vec![90u8; (width * 200) as usize];
            draw(&mut luma, width as usize, width, 1_790_000_123_456);
            let at = |x: u32, y: u32| luma[(y * width + x) as usize];
            assert_eq!(read(width, at), Some(1_790_000_123_456));
        }
    }

    #[test]
    fn a_torn_stamp_is_refused() {
        let mut luma = vec![90u8; 320 * 180];
        draw(&mut luma, 320, 320, 1_790_000_123_456);
        luma[8 * 320..10 * 320].fill(16);
        luma[10 * 320..16 * 320].fill(235);
        assert_eq!(read(320, |x, y| luma[(y * 320 + x) as usize]), None);
        assert_eq!(read(320, |_, _| 90), None);
    }
}
