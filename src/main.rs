//! The `clusterctl` binary.

fn main() -> std::process::ExitCode {
    clusterctl::cli::run(std::env::args_os())
}
