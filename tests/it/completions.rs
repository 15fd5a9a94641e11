//! The committed completions equal those that the binary prints.

use clap_complete::Shell;

#[test]
fn the_committed_completions_are_fresh() {
    for (shell, file) in [
        (Shell::Bash, "clusterctl.bash"),
        (Shell::Zsh, "_clusterctl"),
        (Shell::Fish, "clusterctl.fish"),
    ] {
        let mut fresh = Vec::new();
        clap_complete::generate(shell, &mut clusterctl::cli::command(), "clusterctl", &mut fresh);
        let path = format!("{}/completions/{file}", env!("CARGO_MANIFEST_DIR"));
        let committed = std::fs::read(&path).unwrap();
        assert!(
            committed == fresh,
            "completions/{file} is stale: cargo run -- completions {shell} > completions/{file}"
        );
    }
}
