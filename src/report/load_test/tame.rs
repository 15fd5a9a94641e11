//! What came from the network must not steer a terminal, nor break a page.

use crate::loadtest::results::{Count, NodeCount, Results};

/// Characters that a name, or anything else that somebody else has said, may be long.
const LONGEST: usize = 200;

/// The same results without control characters, and without texts that never end.
pub(super) fn tame(results: &Results) -> Results {
    let mut results = results.clone();
    let counts = &mut results.counts;
    let counted = [
        Some(&mut counts.generator),
        counts.balancer.as_mut(),
        counts.kernel.as_mut(),
    ];
    counted.into_iter().flatten().for_each(count);
    counts.meaning.iter_mut().for_each(text);
    results.nodes.iter_mut().for_each(|node| text(&mut node.name));
    results
        .errors
        .iter_mut()
        .for_each(|error| text(&mut error.example));
    results
        .checks
        .iter_mut()
        .for_each(|check| text(&mut check.measured));
    results.test.cluster.iter_mut().for_each(text);
    if let Some(sticky) = &mut results.sticky {
        for moved in &mut sticky.moved {
            text(&mut moved.was);
            moved.now.iter_mut().for_each(text);
        }
    }
    if let Some(failover) = &mut results.failover {
        text(&mut failover.node);
        nodes(&mut failover.rehomed_to);
        nodes(&mut failover.after);
    }
    text(&mut results.program);
    text(&mut results.host.kernel);
    results
}

// Private

fn count(count: &mut Count) {
    nodes(&mut count.nodes);
}

fn nodes(nodes: &mut [NodeCount]) {
    nodes.iter_mut().for_each(|node| text(&mut node.name));
}

fn text(text: &mut String) {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.chars().any(steers) {
        *text = text.replace(steers, "\u{fffd}");
    }
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::failed_over;
    use super::*;

    #[test]
    fn a_node_cannot_paint_the_terminal_or_never_end() {
        let mut results = failed_over();
        results.nodes[0].name = "\x1b[31mred\n".into();
        results.nodes[1].name = "ü".repeat(201);
        let tamed = tame(&results);
        assert_eq!(tamed.nodes[0].name, "\u{fffd}[31mred\u{fffd}");
        assert_eq!(tamed.nodes[1].name, format!("{}…", "ü".repeat(200)));
        assert_eq!(tame(&failed_over()), failed_over());
    }
}
