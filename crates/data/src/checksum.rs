//! Checksums of stored data: CRC-32C, which processors compute at the speed of memory.

/// The CRC-32C of `bytes` that follow those whose checksum is `before` (0 at the start).
#[must_use]
pub fn crc32c(bytes: &[u8], before: u32) -> u32 {
    crc32c::crc32c_append(before, bytes)
}

#[cfg(test)]
mod tests {
    use super::crc32c;

    #[test]
    fn the_check_value_is_that_of_rfc_3720() {
        assert_eq!(crc32c(b"123456789", 0), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32], 0), 0x8a91_36aa);
    }

    #[test]
    fn pieces_give_the_checksum_of_the_whole() {
        let bytes: Vec<u8> = (0..100_000u32).map(|i| (i * 7 % 251) as u8).collect();
        for cut in [0, 1, 7, 4096, 99_999] {
            assert_eq!(crc32c(&bytes[cut..], crc32c(&bytes[..cut], 0)), crc32c(&bytes, 0));
        }
    }
}
