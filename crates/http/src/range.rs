//! The `Range` header (RFC 9110 §14). One range is answered; several are answered with the
//! whole, which the RFC allows.

/// What part of a file is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// From the first to the last byte named, both inside the file.
    Bytes {
        /// First byte.
        first: u64,
        /// Last byte.
        last: u64,
    },
    /// Nothing of what was asked for is there.
    Unsatisfiable,
}

/// Reads a `Range` header for a file of `length` bytes. What is not understood is ignored.
pub(crate) fn parse(header: &str, length: u64) -> Part {
    let Some(set) = header.trim().strip_prefix("bytes=") else {
        return Part::Whole;
    };
    let Some((from, to)) = set.trim().split_once('-') else {
        return Part::Whole;
    };
    let number = |text: &str| {
        // `parse` alone would also take a plus sign.
        text.bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| text.parse::<u64>().ok())
            .flatten()
    };
    match (from.trim(), to.trim()) {
        ("", "") => Part::Whole,
        ("", suffix) => match number(suffix) {
            None => Part::Whole,
            Some(0) => Part::Unsatisfiable,
            Some(_) if length == 0 => Part::Unsatisfiable,
            Some(n) => Part::Bytes {
                first: length.saturating_sub(n),
                last: length - 1,
            },
        },
        (first, last) => {
            let Some(first) = number(first) else {
                return Part::Whole;
            };
            let last = match last {
                "" => u64::MAX,
                text => match number(text) {
                    Some(last) => last,
                    None => return Part::Whole,
                },
            };
            if last < first {
                Part::Whole
            } else if first >= length {
                Part::Unsatisfiable
            } else {
                Part::Bytes {
                    first,
                    last: last.min(length - 1),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(first: u64, last: u64) -> Part {
        Part::Bytes { first, last }
    }

    #[test]
    fn one_range() {
        assert_eq!(parse("bytes=0-", 100), bytes(0, 99));
        assert_eq!(parse("bytes=10-19", 100), bytes(10, 19));
        assert_eq!(parse("bytes=90-1000", 100), bytes(90, 99));
        assert_eq!(parse("bytes=-10", 100), bytes(90, 99));
        assert_eq!(parse("bytes=-1000", 100), bytes(0, 99));
        assert_eq!(parse(" bytes=99-99 ", 100), bytes(99, 99));
    }

    #[test]
    fn nothing_there() {
        assert_eq!(parse("bytes=100-", 100), Part::Unsatisfiable);
        assert_eq!(parse("bytes=-0", 100), Part::Unsatisfiable);
        assert_eq!(parse("bytes=0-", 0), Part::Unsatisfiable);
        assert_eq!(parse("bytes=-5", 0), Part::Unsatisfiable);
    }

    #[test]
    fn what_is_not_understood_is_the_whole() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5",
            "bytes=5-4",
            "bytes=+5-9",
            "bytes=a-b",
            "bytes=0-1,5-9",
            "lines=0-1",
            "bytes=0x10-",
            "bytes=99999999999999999999-",
            "bytes=--5",
        ] {
            assert_eq!(parse(header, 100), Part::Whole, "{header}");
        }
    }
}
