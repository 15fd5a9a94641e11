//! `node add` and `node remove`: nodes of the running cluster.

use super::args::{Closing, NodeAdd, NodeRemove, NodeVerb, Planning};
use super::change::{self, Change, RESUME, UNDO};
use super::failure::{Failure, Outcome};
use super::printer::Printer;
use super::settings::Settings;
use crate::api::Target;
use crate::profile::NewNode;

/// Adds or removes nodes, and returns when that is done.
pub(super) async fn run(settings: &Settings, printer: &Printer, verb: &NodeVerb) -> Outcome {
    let change = match verb {
        NodeVerb::Add(args) => addition(args)?,
        NodeVerb::Remove(args) => removal(args, printer.can_ask()),
    };
    change::run(settings, printer, &change).await
}

// Private

fn addition(args: &NodeAdd) -> Result<Change, Failure> {
    if args.address.is_some() && args.names.len() > 1 {
        return Err(Failure::usage("`--address` is that of one node")
            .hint("add each external node by a command of its own".to_owned()));
    }
    let new = |name: &String| NewNode {
        name: name.clone(),
        address: args.address.clone(),
        tcp_port: args.tcp_port,
        http_port: args.http_port,
    };
    Ok(Change {
        target: Target::Add(args.names.iter().map(new).collect()),
        verb: "addition of nodes",
        planning: Planning {
            dry_run: args.dry_run,
            yes: false,
        },
        closing: Closing::default(),
        force: false,
        // No connection is closed.
        can_ask: false,
        resume: RESUME,
        undo: UNDO,
    })
}

fn removal(args: &NodeRemove, can_ask: bool) -> Change {
    Change {
        target: Target::Remove(args.names.clone()),
        verb: "removal of nodes",
        planning: args.planning,
        closing: args.closing,
        force: args.force,
        can_ask,
        resume: RESUME,
        undo: UNDO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_is_that_of_one_node() {
        let mut args = NodeAdd {
            names: vec!["a".into(), "b".into()],
            address: Some("10.0.0.5".into()),
            tcp_port: Some(9001),
            http_port: None,
            dry_run: false,
        };
        assert!(addition(&args).is_err_and(|failure| failure.text().contains("one node")));
        args.names.pop();
        let Ok(Change {
            target: Target::Add(nodes),
            ..
        }) = addition(&args)
        else {
            panic!("no nodes");
        };
        assert_eq!(nodes[0].address.as_deref(), Some("10.0.0.5"));
        args.address = None;
        args.names.push("b".into());
        assert!(addition(&args).is_ok());
    }
}
