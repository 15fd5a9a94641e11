//! A Containerfile for an image that runs a cluster.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::templates::{RenderError, Templates};
use crate::base::units::Period;
use crate::profile::{BalancerKind, Cluster, Runtime};

/// What an image contains, and how it runs.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The balancer that is started.
    pub balancer: BalancerKind,
    /// The run directory inside the image.
    pub run_dir: &'a Path,
    /// How long a stop is announced.
    pub announce: Period,
    /// The time over which a stop closes connections.
    pub over: Period,
    /// The flags that name the run directory and the profile inside the image.
    pub flags: Vec<String>,
    /// Debian packages.
    pub packages: Vec<String>,
    /// What is copied into the image; the first one is the program.
    pub files: &'a [ImageFile],
    /// The time until it serves.
    pub starts_within: Duration,
    /// The time until it has stopped.
    pub stops_within: Duration,
    /// `RLIMIT_NOFILE`.
    pub nofile: u64,
}

/// A file or directory that is copied into an image.
#[derive(Clone, Debug)]
pub struct ImageFile {
    /// Where it is on this host.
    pub from: PathBuf,
    /// Its name beside the Containerfile.
    pub name: &'static str,
    /// Where the image has it.
    pub to: PathBuf,
}

#[derive(Serialize)]
struct View {
    cluster: String,
    balancer: &'static str,
    image: String,
    sources: Vec<String>,
    copies: Vec<String>,
    packages: String,
    libraries: &'static [&'static str],
    alone: bool,
    runs_others: bool,
    has_files: bool,
    run_dir: String,
    run_dir_env: String,
    start: String,
    health: String,
    ports: String,
    publish: String,
    start_seconds: u64,
    stop_seconds: u64,
    nofile: u64,
}

impl Image<'_> {
    /// The text of the Containerfile.
    ///
    /// # Errors
    /// When a template override cannot be read, parsed or filled.
    pub fn render(&self, templates: &Templates) -> Result<String, RenderError> {
        let runs_others = self.cluster.runtime == Runtime::Command;
        let libraries = libraries();
        let program = self.files.first().map(|file| path(&file.to)).unwrap_or_default();
        let (announce, over) = (self.announce.to_string(), self.over.to_string());
        let start = [
            &program,
            "start",
            self.balancer.name(),
            "--foreground",
            "--announce",
            &announce,
            "--over",
            &over,
        ];
        let run_dir = path(self.run_dir);
        let ports: Vec<u16> = self.ports().collect();
        let publish = ports.iter().map(|port| format!("--publish {port}:{port}"));
        let view = View {
            cluster: self.cluster.name.clone(),
            balancer: self.balancer.name(),
            image: format!("clusterctl-{}", self.cluster.name.to_lowercase()),
            sources: self.files.iter().map(source).collect(),
            copies: self.files.iter().map(copy).collect(),
            packages: self.packages.join(" "),
            libraries: libraries.unwrap_or_default(),
            alone: self.packages.is_empty() && !runs_others && libraries.is_some(),
            runs_others,
            has_files: self.files.len() > 1,
            start: exec(start.map(str::to_owned).into_iter().chain(self.flags.clone())),
            health: exec([&program, "health", "--serving", "--run-dir", &run_dir].map(str::to_owned)),
            run_dir_env: environment(&run_dir),
            run_dir,
            ports: ports.iter().map(u16::to_string).collect::<Vec<_>>().join(" "),
            publish: publish.collect::<Vec<_>>().join(" "),
            start_seconds: self.starts_within.as_secs(),
            stop_seconds: self.stops_within.as_secs(),
            nofile: self.nofile,
        };
        templates.render("Containerfile.tera", &view)
    }

    /// Why nothing outside of the container could reach the cluster.
    #[must_use]
    pub fn unreachable(&self) -> Option<String> {
        let addresses = &self.cluster.listen.addresses;
        addresses.iter().all(std::net::IpAddr::is_loopback).then(|| {
            "`listen.address` is loopback: nothing outside of the container reaches the cluster; \
             `--set 'listen.address=[\"0.0.0.0\", \"::\"]'`"
                .to_owned()
        })
    }

    // Private

    /// The ports that can be reached from outside of the container.
    fn ports(&self) -> impl Iterator<Item = u16> {
        let listen = &self.cluster.listen;
        let clients = listen.ports().map(|(_, port)| port);
        let pages = listen.pages().map(|(_, at)| at).chain(listen.observe);
        let pages = pages.filter(|at| !at.ip().is_loopback()).map(|at| at.port());
        clients.chain(pages)
    }
}

// Private

/// The shared libraries of this program, as Debian has them. `None` on a processor whose paths are
/// not known here.
fn libraries() -> Option<&'static [&'static str]> {
    if cfg!(target_feature = "crt-static") {
        return Some(&[]);
    }
    match std::env::consts::ARCH {
        "x86_64" => Some(&[
            "/lib64/ld-linux-x86-64.so.2",
            "/lib/x86_64-linux-gnu/libc.so.6",
            "/lib/x86_64-linux-gnu/libm.so.6",
            "/lib/x86_64-linux-gnu/libgcc_s.so.1",
        ]),
        "aarch64" => Some(&[
            "/lib/ld-linux-aarch64.so.1",
            "/lib/aarch64-linux-gnu/libc.so.6",
            "/lib/aarch64-linux-gnu/libm.so.6",
            "/lib/aarch64-linux-gnu/libgcc_s.so.1",
        ]),
        _ => None,
    }
}

/// A shell's word.
fn shell(word: &Path) -> String {
    let word = word.to_string_lossy();
    let is_plain = |byte: char| byte.is_ascii_alphanumeric() || "_./:=@,+-".contains(byte);
    if word.chars().all(is_plain) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''").replace('\n', " "))
}

/// The words of a command that brings a file beside the Containerfile.
fn source(file: &ImageFile) -> String {
    format!("cp -rL {} {}", shell(&file.from), file.name)
}

fn copy(file: &ImageFile) -> String {
    format!("{} {}", file.name, path(&file.to))
}

fn path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A command in the exec form, which needs no shell: a list of JSON.
fn exec(words: impl IntoIterator<Item = String>) -> String {
    let words = words.into_iter().map(serde_json::Value::String);
    let words: Vec<String> = words.map(|word| word.to_string()).collect();
    format!("[{}]", words.join(", "))
}

/// The value of a variable in `ENV`.
fn environment(value: &str) -> String {
    let mut quoted = String::from('"');
    for character in value.chars() {
        if matches!(character, '"' | '\\' | '$') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{DEFAULT, Source, load};

    fn image(sets: &[&str], packages: &[&str]) -> String {
        let mut source = Source::read(DEFAULT).unwrap();
        source.sets = sets.iter().map(|set| (*set).to_owned()).collect();
        let cluster = load(&source).unwrap();
        let files = [
            ImageFile {
                from: "/opt/my tools/clusterctl".into(),
                name: "clusterctl",
                to: "/clusterctl".into(),
            },
            ImageFile {
                from: "/etc/mine.yaml".into(),
                name: "profile.yaml",
                to: "/etc/clusterctl/profile.yaml".into(),
            },
        ];
        let image = Image {
            cluster: &cluster,
            balancer: BalancerKind::Builtin,
            run_dir: Path::new("/run/clusterctl/erlmcp"),
            announce: Duration::from_secs(5).into(),
            over: Duration::from_secs(5).into(),
            flags: ["--set", "a=[\"x y\", $b]\n"].map(str::to_owned).into(),
            packages: packages.iter().map(|name| (*name).to_owned()).collect(),
            files: &files,
            starts_within: Duration::from_mins(1),
            stops_within: Duration::from_secs(45),
            nofile: 201_728,
        };
        image.render(&Templates::embedded()).unwrap()
    }

    fn has(image: &str, lines: &[&str]) {
        for line in lines {
            assert!(image.lines().any(|found| found == *line), "{line} in {image}");
        }
        assert!(!image.contains("{{") && !image.contains("{%"), "{image}");
    }

    #[test]
    fn the_binary_alone_needs_no_shell() {
        let image = image(&[], &[]);
        has(
            &image,
            &[
                "# cp -rL '/opt/my tools/clusterctl' clusterctl",
                "FROM scratch",
                "COPY clusterctl /clusterctl",
                "COPY profile.yaml /etc/clusterctl/profile.yaml",
                "USER 10001:10001",
                "EXPOSE 8000 8080 8001 8002",
                "STOPSIGNAL SIGTERM",
                r#"ENTRYPOINT ["/clusterctl", "start", "builtin", "--foreground", "--announce", "5s", "--over", "5s", "--set", "a=[\"x y\", $b]\n"]"#,
                r#"    CMD ["/clusterctl", "health", "--serving", "--run-dir", "/run/clusterctl/erlmcp"]"#,
            ],
        );
        let last = image.rsplit("FROM scratch").next().unwrap();
        assert!(!last.contains("\nRUN"), "{image}");
    }

    #[test]
    fn packages_and_programs_of_others_need_a_distribution() {
        let with = image(&[], &["haproxy"]);
        has(
            &with,
            &[
                "FROM ${BASE}",
                " && apt-get install --yes --no-install-recommends haproxy \\",
            ],
        );
        assert!(!with.contains("FROM scratch"), "{with}");
        let command = image(
            &["nodes.runtime=command", "nodes.command=[serve, '{http_port}']"],
            &[],
        );
        has(&command, &["FROM ${BASE}", "# Install here what the nodes run."]);
    }

    #[test]
    fn pages_that_are_reachable_are_exposed() {
        let image = image(&["listen.status=0.0.0.0:8888"], &[]);
        has(&image, &["EXPOSE 8000 8080 8001 8002 8888"]);
    }
}
