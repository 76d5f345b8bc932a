//! Checked values into the types that the rest of the program reads.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::columns;
use super::load::Settings;
use super::rule::Setting;
use super::secret_file::{Kind, TOKEN, URI};
use super::{
    Config, Export, Http, Log, LogFormat, Mongodb, Probe, Secret, SecretFile, Sqlite, State, TlsFiles,
    Updates, Values,
};

/// All of the configuration. Each key's rule fixes the type of its setting, so that a mismatch can only be a slip
/// in this file, which the test of the defaults finds.
pub(super) fn config(settings: &Settings) -> Config {
    let read = Reader(settings);
    Config {
        sqlite: Sqlite {
            path: read.path("sqlite.path"),
            table: read.text("sqlite.table"),
            created_column: read.text("sqlite.created_column"),
            updated_column: read.text("sqlite.updated_column"),
            source_id: read.text("sqlite.source_id"),
            summary_unique: read.texts("sqlite.summary_unique"),
            summary_distribution: read.texts("sqlite.summary_distribution"),
            mapping: columns::mapping(settings),
        },
        mongodb: Mongodb {
            uri: Secret::new(read.text("mongodb.uri")),
            uri_file: read.secret_file(URI),
            fallback_uris: read.texts("mongodb.fallback_uris").into_iter().map(Secret::new).collect(),
            database: read.text("mongodb.database"),
            collection: read.text("mongodb.collection"),
            operation_timeout: read.time("mongodb.operation_timeout"),
            compressors: read.texts("mongodb.compressors"),
            idle_disconnect: read.time("mongodb.idle_disconnect"),
        },
        export: Export {
            batch_size: read.whole("export.batch_size"),
            max_batch_size: read.whole("export.max_batch_size"),
            max_in_flight: read.whole("export.max_in_flight"),
            max_in_flight_bytes: read.bytes("export.max_in_flight_bytes"),
            skip_duplicates: read.flag("export.skip_duplicates"),
            duplicate_key: read.texts("export.duplicate_key"),
            updates: match read.text("export.updates").as_str() {
                "always" => Updates::Always,
                "never" => Updates::Never,
                _ => Updates::Newer,
            },
            automatic: read.flag("export.automatic"),
        },
        probe: Probe {
            initial_interval: read.time("probe.initial_interval"),
            max_interval: read.time("probe.max_interval"),
            multiplier: read.number("probe.multiplier"),
            randomization_factor: read.number("probe.randomization_factor"),
            timeout: read.time("probe.timeout"),
            online_interval: read.time("probe.online_interval"),
        },
        http: Http {
            listen: read.address("http.listen"),
            token: read.optional("http.token").map(Secret::new),
            token_file: read.secret_file(TOKEN),
            allow_unauthenticated: read.flag("http.allow_unauthenticated"),
            allowed_hosts: read.texts("http.allowed_hosts"),
            tls: read.tls(),
            socket: read.optional("http.socket").map(PathBuf::from),
        },
        state: State { directory: read.path("state.directory") },
        log: Log {
            filter: read.text("log.filter"),
            format: match read.text("log.format").as_str() {
                "journald" => LogFormat::Journald,
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => LogFormat::Auto,
            },
        },
        values: Values::of(settings),
    }
}

struct Reader<'a>(&'a Settings);

/// What a mismatch between a key's rule and its reader is.
const SLIP: &str = "a key is read as what its rule makes of it";

impl Reader<'_> {
    fn get<T>(&self, key: &str, take: impl FnOnce(&Setting) -> Option<T>) -> T {
        take(&self.0[key].setting).expect(SLIP)
    }

    fn text(&self, key: &str) -> String {
        self.get(key, |setting| if let Setting::Text(text) = setting { Some(text.clone()) } else { None })
    }

    fn path(&self, key: &str) -> PathBuf {
        self.text(key).into()
    }

    fn optional(&self, key: &str) -> Option<String> {
        Some(self.text(key)).filter(|text| !text.is_empty())
    }

    fn tls(&self) -> Option<TlsFiles> {
        let (certificate, key) =
            (self.optional("http.tls_certificate_file")?, self.optional("http.tls_key_file")?);
        Some(TlsFiles { certificate: certificate.into(), key: key.into() })
    }

    fn secret_file(&self, kind: Kind) -> Option<SecretFile> {
        let path = self.optional(kind.file)?;
        Some(SecretFile::new(path, kind, Secret::new(self.text(kind.key))))
    }

    fn texts(&self, key: &str) -> Vec<String> {
        self.get(key, |setting| if let Setting::Texts(texts) = setting { Some(texts.clone()) } else { None })
    }

    fn flag(&self, key: &str) -> bool {
        self.get(key, |setting| if let Setting::Flag(flag) = setting { Some(*flag) } else { None })
    }

    fn whole(&self, key: &str) -> u16 {
        self.get(key, |setting| if let Setting::Whole(n) = setting { u16::try_from(*n).ok() } else { None })
    }

    fn bytes(&self, key: &str) -> usize {
        self.get(key, |setting| if let Setting::Whole(n) = setting { usize::try_from(*n).ok() } else { None })
    }

    fn number(&self, key: &str) -> f64 {
        self.get(key, |setting| if let Setting::Number(number) = setting { Some(*number) } else { None })
    }

    fn time(&self, key: &str) -> Duration {
        self.get(key, |setting| if let Setting::Time(time) = setting { Some(*time) } else { None })
    }

    fn address(&self, key: &str) -> SocketAddr {
        self.get(key, |setting| if let Setting::Address(address) = setting { Some(*address) } else { None })
    }
}
