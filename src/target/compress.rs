//! What the connection is compressed with.

use mongodb::options::Compressor;

/// The driver's words for these, at levels that cost little: the host has other things to do.
pub(super) fn with(names: &[String]) -> Option<Vec<Compressor>> {
    let known = |name: &String| match name.as_str() {
        "zstd" => Some(Compressor::Zstd { level: Some(1) }),
        "snappy" => Some(Compressor::Snappy),
        "zlib" => Some(Compressor::Zlib { level: Some(1) }),
        _ => None,
    };
    let compressors: Vec<_> = names.iter().filter_map(known).collect();
    (!compressors.is_empty()).then_some(compressors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_configured_word_is_known_and_none_means_none() {
        let names = ["snappy", "zstd", "zlib"].map(str::to_owned);
        let found = with(&names).unwrap();
        assert!(matches!(found[..], [Compressor::Snappy, Compressor::Zstd { .. }, Compressor::Zlib { .. }]));
        assert_eq!(with(&[]), None);
    }
}
