//! Compresses whole bodies by gzip.

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// RFC 1952, section 2.3: deflate, no flags, no time, fastest algorithm, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];
/// Room for output that is added at a time.
const STEP: usize = 4096;

/// A compressor, which is reused for one body after the other.
#[derive(Debug)]
pub struct Gzip {
    deflate: Compress,
}

impl Gzip {
    /// A compressor. It takes some 300 kB.
    #[must_use]
    pub fn new() -> Gzip {
        Gzip {
            deflate: Compress::new(Compression::fast(), false),
        }
    }

    /// Appends `content`, compressed, to `out`.
    pub fn compress(&mut self, content: &[u8], out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend_from_slice(&HEADER);
        self.deflate.reset();
        loop {
            out.reserve(STEP);
            let used = usize::try_from(self.deflate.total_in()).unwrap_or(usize::MAX);
            let rest = content.get(used..).unwrap_or_default();
            match self.deflate.compress_vec(rest, out, FlushCompress::Finish) {
                Ok(Status::StreamEnd) => break,
                Ok(Status::Ok | Status::BufError) => {}
                // It never happens: only a broken state is an error.
                Err(error) => {
                    tracing::error!(%error, "cannot compress");
                    out.truncate(begin);
                    return;
                }
            }
        }
        let mut crc = Crc::new();
        crc.update(content);
        out.extend_from_slice(&crc.sum().to_le_bytes());
        out.extend_from_slice(&crc.amount().to_le_bytes());
    }
}

impl Default for Gzip {
    fn default() -> Gzip {
        Gzip::new()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_compressor_is_reused() {
        let mut gzip = Gzip::new();
        for content in [
            b"".to_vec(),
            b"hello".to_vec(),
            b"{\"jsonrpc\":\"2.0\"}".repeat(20_000),
            (0..=255).cycle().take(100_000).collect(),
        ] {
            let mut out = b"before".to_vec();
            gzip.compress(&content, &mut out);
            let mut read = Vec::new();
            let mut decoder = flate2::read::GzDecoder::new(&out[6..]);
            decoder.read_to_end(&mut read).unwrap();
            assert!(read == content);
        }
    }
}
