//! Ranges stay inside what they are taken from, and are those that were asked for.

#![no_main]

use larder_serve::fuzzing::{Ranges, range};
use libfuzzer_sys::fuzz_target;

/// Parts of one answer, at most.
const MOST: usize = 64;

fn seeds() -> Vec<Vec<u8>> {
    let values = ["0-", "-5", "3-7", "0-0, 9-", "-0", "99-", "0-18446744073709551615", "5-4", "a-"];
    let of = |len: u64| {
        values.map(|value| [&len.to_le_bytes()[..], b"bytes=", value.as_bytes()].concat())
    };
    [of(10), of(0), of(u64::MAX)].concat()
}

fuzz_target!(
    init: larder_fuzz::plant(seeds()),
    |data: &[u8]| {
        let Some((len, value)) = data.split_first_chunk() else { return };
        let len = u64::from_le_bytes(*len);
        let found = range(value, len);
        if let Ranges::Parts(parts) = &found {
            assert!(!parts.is_empty() && parts.len() <= MOST);
            for part in parts {
                assert!(part.start < part.end && part.end <= len, "{part:?} of {len}");
            }
            asked_again(parts, len);
        }
        is_blind_to_case_and_blanks(value, len, &found);
        let text = value.to_ascii_lowercase();
        assert!(found == Ranges::Whole || text.trim_ascii_start().starts_with(b"bytes"));
    }
);

/// The parts are found again when they are asked for by their ends.
fn asked_again(parts: &[std::ops::Range<u64>], len: u64) {
    if let [part] = parts {
        let exactly = format!("bytes={}-{}", part.start, part.end - 1);
        assert_eq!(range(exactly.as_bytes(), len), Ranges::Parts(vec![part.clone()]));
        // Of something longer they are the same bytes.
        assert_eq!(range(exactly.as_bytes(), u64::MAX), Ranges::Parts(vec![part.clone()]));
    }
}

fn is_blind_to_case_and_blanks(value: &[u8], len: u64, found: &Ranges) {
    assert_eq!(&range(&value.to_ascii_uppercase(), len), found);
    if value.len() > 6 {
        assert_eq!(&range(&[value, b" "].concat(), len), found, "{value:?}");
    }
}
