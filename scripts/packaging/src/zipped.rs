//! A function's zip, as Lambda takes it.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// What Lambda's runtime for binaries starts.
const ENTRY: &str = "bootstrap";

/// Everybody may run it: Lambda runs functions as a user of its own.
const EXECUTABLE: u32 = 0o755;

/// The best there is. A zip is made once, and loaded at every cold start.
const COMPRESSION_LEVEL: i64 = 9;

/// Zips a binary. The zip depends on nothing but the binary: not on when it was built, by whom, or where.
///
/// # Errors
/// When the binary is larger than a zip can hold.
pub(crate) fn zip(binary: &[u8]) -> anyhow::Result<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(COMPRESSION_LEVEL))
        // The earliest time that a zip can hold.
        .last_modified_time(DateTime::default())
        .unix_permissions(EXECUTABLE);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(ENTRY, options)?;
    zip.write_all(binary)?;
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use sha2::{Digest, Sha256};
    use zip::ZipArchive;

    use super::*;

    /// Something that compresses a little, as machine code does.
    fn binary() -> Vec<u8> {
        (0..100_000_u32).flat_map(|n| (n.wrapping_mul(n) / 7).to_le_bytes()).collect()
    }

    #[test]
    fn a_zip_has_one_executable_bootstrap_with_the_whole_binary() {
        let mut archive = ZipArchive::new(Cursor::new(zip(&binary()).unwrap())).unwrap();
        assert_eq!(archive.len(), 1);
        let mut entry = archive.by_index(0).unwrap();
        assert_eq!(entry.name().unwrap(), "bootstrap");
        assert_eq!(entry.unix_mode(), Some(0o100_755));
        assert_eq!(entry.compression(), CompressionMethod::Deflated);
        assert!(entry.compressed_size() < entry.size());
        let mut unpacked = Vec::new();
        entry.read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, binary());
    }

    #[test]
    fn the_same_binary_gives_the_same_bytes_on_every_machine() {
        let digest = Sha256::digest(zip(&binary()).unwrap());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            digest, "fb1fef1adc4fe332d4d964df9f0fc3d4d61dcb8421f6db0ede97a03d2d0e1379",
            "it moves with the compressor's version alone"
        );
    }

    #[test]
    fn another_binary_gives_other_bytes() {
        let mut other = binary();
        other[50_000] ^= 1;
        assert_ne!(zip(&binary()).unwrap(), zip(&other).unwrap());
    }
}
