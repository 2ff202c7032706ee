//! Whatever a file ends in: it is read as what was written, or not at all.

#![no_main]

use larder_files::fuzzing::{FOOTER, decode, encode, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(
    init: {
        let one = encode(5, 6, 7, b"key");
        larder_fuzz::plant([one.as_slice(), &[b"a longer body ".as_slice(), &one].concat(), b""]);
    },
    |data: &[u8]| {
        foreign(data);
        if let Some((shape, key)) = data.split_first_chunk::<16>() {
            written(shape, &key[..key.len().min(300)]);
        }
    }
);

/// Bytes that are not ours, as they are and with a footer's signs in place.
fn foreign(data: &[u8]) {
    read(data, data.len() as u64);
    if let Some(at) = data.len().checked_sub(FOOTER) {
        let mut signed = data.to_vec();
        let format_and_magic = encode(0, 0, 0, b"");
        signed[at + 44..at + 48].copy_from_slice(&format_and_magic[44..48]);
        signed[at + 56..].copy_from_slice(&format_and_magic[56..]);
        read(&signed, data.len() as u64);
        let length = u64::from_le_bytes(data[at + 32..at + 40].try_into().expect("8 bytes"));
        read(&signed, length.wrapping_add(FOOTER as u64));
    }
}

/// What is accepted accounts for every byte of the file, and for its key.
fn read(tail: &[u8], file_len: u64) {
    let Some((body_len, sum, key)) = parse(tail, file_len) else {
        assert!(decode(tail, file_len, b"another").is_err());
        return;
    };
    assert_eq!(body_len + key.len() as u64 + FOOTER as u64, file_len);
    assert_eq!(decode(tail, file_len, key), Ok(body_len));
    assert_eq!(decode(tail, file_len, &[key, b"."].concat()), Err(true));
    assert!(tail.ends_with(&encode(body_len, sum, boot_of(tail), key)));
}

fn boot_of(tail: &[u8]) -> u128 {
    let at = tail.len() - FOOTER + 16;
    u128::from_le_bytes(tail[at..at + 16].try_into().expect("16 bytes"))
}

/// What was written is read back; with any bit of it changed, or cut short, it is not.
fn written(shape: &[u8; 16], key: &[u8]) {
    let sum = u128::from_le_bytes(*shape);
    let body_len = sum as u64 >> (sum as u32 % 64);
    let Some(file_len) = body_len.checked_add((key.len() + FOOTER) as u64) else { return };
    let trailer = encode(body_len, sum, !sum, key);
    assert_eq!(parse(&trailer, file_len), Some((body_len, sum, key)));
    assert_eq!(parse(&trailer, file_len - 1), None);
    assert_eq!(parse(&trailer[1..], file_len), None, "a key that begins before the tail");
    let bit = usize::from(shape[14]) << 8 | usize::from(shape[15]);
    let mut changed = trailer;
    let at = bit / 8 % changed.len();
    changed[at] ^= 1 << (bit % 8);
    assert_eq!(parse(&changed, file_len), None, "bit {bit} is of no account");
}
