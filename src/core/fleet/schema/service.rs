//! Network services.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Effect::InPlace;
use super::Owner::Deploy;
use super::spec::{FieldType, Form, PlatformDefault, Spelling, Toml, field};
use super::{Check, config_struct};

config_struct!(
    /// A network service.
    Service {
        /// Start a stopped Machine on a request.
        autostart: bool = field(Deploy, InPlace).toml(Toml::Key("auto_start_machines", Form::Plain)),
        /// `false`, `true` (stop) or `"suspend"`.
        autostop: Value = field(Deploy, InPlace)
            .spelling(Spelling::Autostop)
            .toml(Toml::Key("auto_stop_machines", Form::Manual)),
        /// Checks of this service.
        checks: Vec<Check> = field(Deploy, InPlace)
            .entry_keys(&["type", "path", "method", "protocol", "port"])
            .any_order()
            .toml(Toml::Table("[[services.*_checks]]")),
        /// Concurrency limits.
        concurrency: Concurrency = field(Deploy, InPlace).toml(Toml::Table("[services.concurrency]")),
        /// Description of the instance to route to.
        force_instance_description: String = field(Deploy, InPlace).empty_is_absent(),
        /// Key of the instance to route to.
        force_instance_key: String = field(Deploy, InPlace).empty_is_absent(),
        /// Port that the app listens on.
        internal_port: u16 = field(Deploy, InPlace).toml(Toml::Key("internal_port", Form::Manual)),
        /// Machines that autostop keeps running in the primary region.
        min_machines_running: u32 = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("min_machines_running", Form::Plain)),
        /// External ports.
        ports: Vec<Port> = field(Deploy, InPlace)
            .entry_keys(&["port", "start_port"])
            .any_order()
            .toml(Toml::Table("[[services.ports]]")),
        /// `tcp` or `udp`.
        protocol: String = field(Deploy, InPlace)
            .empty_is_absent()
            .default(PlatformDefault::Text("tcp"))
            .toml(Toml::Key("protocol", Form::Plain)),
    }
);
config_struct!(
    /// Concurrency limits of a service.
    Concurrency {
        /// Maximum load.
        hard_limit: u32 = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("hard_limit", Form::Plain)),
        /// Load above which other Machines are preferred.
        soft_limit: u32 = field(Deploy, InPlace)
            .empty_is_absent()
            .default(PlatformDefault::Number(20))
            .toml(Toml::Key("soft_limit", Form::Plain)),
        /// `connections` or `requests`.
        r#type: String = field(Deploy, InPlace)
            .empty_is_absent()
            .default(PlatformDefault::Text("connections"))
            .toml(Toml::Key("type", Form::Plain)),
    }
);
config_struct!(
    /// An external port or range.
    Port {
        /// Last port of a range.
        end_port: u16 = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("end_port", Form::Manual)),
        /// Redirect http to https.
        force_https: bool = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("force_https", Form::Plain)),
        /// `http`, `tls`, `proxy_proto`, …
        handlers: Vec<String> = field(Deploy, InPlace)
            .any_order()
            .toml(Toml::Key("handlers", Form::Plain)),
        /// HTTP options.
        http_options: Value = field(Deploy, InPlace)
            .field_type(FieldType::Section(HttpOptions::TABLE))
            .toml(Toml::Key("http_options", Form::Plain)),
        /// Port.
        port: u16 = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("port", Form::Manual)),
        /// Proxy protocol options.
        proxy_proto_options: Value = field(Deploy, InPlace)
            .field_type(FieldType::Section(ProxyProtoOptions::TABLE))
            .toml(Toml::Key("proxy_proto_options", Form::Plain)),
        /// First port of a range.
        start_port: u16 = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("start_port", Form::Manual)),
        /// TLS options.
        tls_options: Value = field(Deploy, InPlace)
            .field_type(FieldType::Section(TlsOptions::TABLE))
            .toml(Toml::Key("tls_options", Form::Plain)),
    }
);
config_struct!(
    /// HTTP options of a port.
    HttpOptions {
        /// Compress responses.
        compress: bool = field(Deploy, InPlace)
            .toml(Toml::Key("compress", Form::Plain)),
        /// Use HTTP/2 without TLS to the app.
        h2_backend: bool = field(Deploy, InPlace)
            .toml(Toml::Key("h2_backend", Form::Plain)),
        /// Timeout for request headers, seconds.
        headers_read_timeout: u32 = field(Deploy, InPlace)
            .toml(Toml::Key("headers_read_timeout", Form::Plain)),
        /// Timeout without traffic, seconds.
        idle_timeout: u32 = field(Deploy, InPlace)
            .toml(Toml::Key("idle_timeout", Form::Plain)),
        /// Requests that are replayed from a cache.
        replay_cache: Vec<ReplayCache> = field(Deploy, InPlace)
            .entry_keys(&["path_prefix", "type", "name"])
            .toml(Toml::Key("replay_cache", Form::Plain)),
        /// Changes to responses.
        response: HttpResponse = field(Deploy, InPlace).toml(Toml::Key("response", Form::Plain)),
    }
);
config_struct!(
    /// Changes to responses.
    HttpResponse {
        /// Headers by name: a text or a list sets it, `false` removes it.
        headers: BTreeMap<String, Value> = field(Deploy, InPlace)
            .toml(Toml::Key("headers", Form::Plain)),
        /// Add none of the proxy's headers.
        pristine: bool = field(Deploy, InPlace)
            .toml(Toml::Key("pristine", Form::Plain)),
    }
);
config_struct!(
    /// A rule of the replay cache.
    ReplayCache {
        /// Requests may bypass the cache.
        allow_bypass: bool = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("allow_bypass", Form::Plain)),
        /// Name of the cookie or header.
        name: String = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("name", Form::Plain)),
        /// Path prefix.
        path_prefix: String = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("path_prefix", Form::Plain)),
        /// Lifetime, seconds.
        ttl_seconds: u32 = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("ttl_seconds", Form::Plain)),
        /// `cookie` or `header`.
        r#type: String = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("type", Form::Plain)),
    }
);
config_struct!(
    /// TLS options of a port.
    TlsOptions {
        /// Offered protocols.
        alpn: Vec<String> = field(Deploy, InPlace).toml(Toml::Key("alpn", Form::Plain)),
        /// Use a self-signed certificate of the platform.
        default_self_signed: bool = field(Deploy, InPlace)
            .toml(Toml::Key("default_self_signed", Form::Plain)),
        /// Accepted TLS versions.
        versions: Vec<String> = field(Deploy, InPlace).toml(Toml::Key("versions", Form::Plain)),
    }
);
config_struct!(
    /// Proxy protocol options of a port.
    ProxyProtoOptions {
        /// `v1` or `v2`.
        version: String = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("version", Form::Plain)),
    }
);
