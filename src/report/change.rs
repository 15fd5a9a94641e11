//! What a change of the cluster does, and what it has done.

use super::numbers::counted;
use crate::api::ChangePlan;

/// The plan of a change that was not carried out, one sentence on each line.
#[must_use]
pub fn change_plan(plan: &ChangePlan) -> String {
    let impossible = plan.impossible.iter().map(|why| format!("not possible: {why}"));
    let lines: Vec<String> = plan.sentences.iter().cloned().chain(impossible).collect();
    if lines.is_empty() {
        return "nothing changes".to_owned();
    }
    lines.join("\n")
}

/// The nodes that were changed: `4 nodes added, 1 removed`; `None` if there are none.
#[must_use]
pub fn changed_nodes(plan: &ChangePlan) -> Option<String> {
    let counts = [
        (plan.added.len(), "added"),
        (plan.replaced.len(), "replaced"),
        (plan.removed.len(), "removed"),
    ];
    let mut counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let (first, done) = counts.next()?;
    let first = counted(u64::try_from(first).unwrap_or(u64::MAX), "node");
    let others = counts.map(|(count, done)| format!(", {count} {done}"));
    Some(format!("{first} {done}{}", others.collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_its_sentences_and_what_prevents_it() {
        let mut plan = ChangePlan::default();
        assert_eq!(change_plan(&plan), "nothing changes");
        plan.sentences = vec!["nodes.count: 4 -> 5".into(), "erlmcp5 is added".into()];
        plan.impossible = vec!["the name is fixed".into()];
        insta::assert_snapshot!(change_plan(&plan), @r"
        nodes.count: 4 -> 5
        erlmcp5 is added
        not possible: the name is fixed
        ");
    }

    #[test]
    fn changed_nodes_are_counted() {
        let names = |count: usize| vec!["a".to_owned(); count];
        let text = |added, replaced, removed| {
            changed_nodes(&ChangePlan {
                added: names(added),
                replaced: names(replaced),
                removed: names(removed),
                ..ChangePlan::default()
            })
        };
        assert_eq!(text(0, 0, 0), None);
        assert_eq!(text(1, 0, 0).unwrap(), "1 node added");
        assert_eq!(text(0, 4, 1).unwrap(), "4 nodes replaced, 1 removed");
        assert_eq!(text(2, 2, 2).unwrap(), "2 nodes added, 2 replaced, 2 removed");
    }
}
