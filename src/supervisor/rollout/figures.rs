//! What the balancer counts at each node: requests and connections, and how many of them failed.
//!
//! | balancer | begun | failed |
//! | --- | --- | --- |
//! | HAProxy, builtin | `stot`: attempts to reach the server | failed connects (`econ`, or `wredis` where another server was tried), broken answers (`eresp`, over TCP `srv_abrt`), `hrsp_5xx` |
//! | nginx | lines of its access log with the node, and failed connects | failed connects, 5xx, broken answers |
//!
//! The counters of HAProxy and builtin begin at zero with each process, those of nginx with the
//! supervisor.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use crate::haproxy_api::{Row, Socket};
use crate::observe::access_log::{Kind, Tally};
use crate::profile::Node;
use crate::supervisor::nginx::access_log::AccessLog;
use crate::supervisor::spec::Spec;

/// An instance that does not answer within this time is left out.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Requests, or connections over TCP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::supervisor) struct Counts {
    /// How many were begun.
    pub(in crate::supervisor) begun: u64,
    /// How many of them failed.
    pub(in crate::supervisor) failed: u64,
}

/// The figures of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::supervisor) struct Figures {
    /// The counts by balancer instance and backend. Each is reset on its own.
    counts: BTreeMap<(usize, String), Counts>,
    /// The mean time to the node's answers over the latest requests.
    mean: Option<Duration>,
}

/// Reads the figures of every node, by its name. `access_log` is the source for a balancer without
/// runtime API. An instance that does not answer is left out.
///
/// # Errors
/// When no instance answers: the reason.
pub(in crate::supervisor) async fn read_figures(
    spec: &Spec,
    access_log: &Arc<AccessLog>,
) -> Result<BTreeMap<String, Figures>, String> {
    if spec.balancer.status_socket(spec.deployment()).is_some() {
        return Ok(of_tally(&spec.cluster.nodes, &access_log.tally().await));
    }
    let asked = spec.sockets().into_iter().map(|path| async move {
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, Socket::new(&path).stat()).await;
        match answer {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!("`{}` does not answer", path.display())),
        }
    });
    let answers = join_all(asked).await;
    if let (false, Some(Err(error))) = (answers.iter().any(Result::is_ok), answers.first()) {
        return Err(error.clone());
    }
    let tables = answers.iter().enumerate();
    let tables = tables.filter_map(|(instance, rows)| Some((instance, rows.as_ref().ok()?)));
    Ok(of_rows(tables))
}

impl Counts {
    /// The share of failures, from 0 to 1.
    pub(in crate::supervisor) fn share(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "no hold has 2^52 requests")]
        let share = self.failed as f64 / self.begun.max(1) as f64;
        share
    }

    // Private

    /// What was counted since `before`; everything, if the counters began at zero in between.
    fn since(self, before: Counts) -> Counts {
        let is_reset = self.begun < before.begun || self.failed < before.failed;
        let before = if is_reset { Counts::default() } else { before };
        let failed = self.failed - before.failed;
        Counts {
            begun: (self.begun - before.begun).max(failed),
            failed,
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Counts) {
        self.begun = self.begun.saturating_add(more.begun);
        self.failed = self.failed.saturating_add(more.failed);
    }
}

impl Figures {
    /// The mean time to the node's answers over the latest requests, if the balancer reports it.
    pub(in crate::supervisor) const fn mean(&self) -> Option<Duration> {
        self.mean
    }

    /// Replaces the figures. Returns what was counted in between.
    pub(in crate::supervisor) fn replace(&mut self, now: Figures) -> Counts {
        let mut sum = Counts::default();
        for (source, counts) in now.counts {
            let before = self.counts.insert(source, counts).unwrap_or_default();
            sum += counts.since(before);
        }
        self.mean = now.mean.or(self.mean);
        sum
    }

    // Private

    fn add(&mut self, instance: usize, backend: &str, counts: Counts) {
        *self.counts.entry((instance, backend.to_owned())).or_default() += counts;
    }
}

#[cfg(test)]
impl Figures {
    /// The figures of one balancer instance at one backend.
    pub(super) fn of(instance: usize, backend: &str, counts: Counts) -> Figures {
        let mut figures = Figures::default();
        figures.add(instance, backend, counts);
        figures
    }

    /// These figures with a mean.
    pub(super) fn with_mean(self, mean: Duration) -> Figures {
        Figures {
            mean: Some(mean),
            ..self
        }
    }
}

// Private

/// The figures from the answers to `show stat`, by instance.
fn of_rows<'a>(tables: impl Iterator<Item = (usize, &'a Vec<Row>)>) -> BTreeMap<String, Figures> {
    let mut nodes: BTreeMap<String, Figures> = BTreeMap::new();
    for (instance, rows) in tables {
        for row in rows.iter().filter(|row| row.is_server()) {
            let figures = nodes.entry(row.name().to_owned()).or_default();
            figures.add(instance, row.proxy(), counts(row));
            // Of TCP, the time to an answer is not known.
            let answers = row.number("req_tot").filter(|answers| *answers > 0);
            let mean = answers.and(row.number("rtime")).map(Duration::from_millis);
            figures.mean = figures.mean.max(mean);
        }
    }
    nodes
}

/// One row of `show stat`.
fn counts(row: &Row) -> Counts {
    let number = |column| row.number(column).unwrap_or(0);
    // builtin counts a failed connect in both columns, HAProxy in one. An answer that breaks off
    // over HTTP counts as invalid and as aborted.
    let not_connected = number("econ").max(number("wredis"));
    let broken = number("eresp").max(number("srv_abrt"));
    let sums = [not_connected, broken, number("hrsp_5xx")];
    Counts {
        begun: number("stot"),
        failed: sums.into_iter().fold(0, u64::saturating_add),
    }
}

/// The figures from nginx's access log.
fn of_tally(nodes: &[Node], tally: &Tally) -> BTreeMap<String, Figures> {
    let figures = nodes.iter().map(|node| {
        let mut figures = Figures::default();
        for kind in Kind::ALL {
            let address = if kind == Kind::Tcp { node.tcp } else { node.http };
            if let Some(address) = address {
                let server = tally.of(kind).server(address);
                let failed = server.connect_errors.saturating_add(server.errors);
                let begun = server.sessions.saturating_add(server.connect_errors);
                figures.add(0, kind.name(), Counts { begun, failed });
                // Over TCP, that is as long as the client waits with its first request.
                let mean = server.first_byte.get().filter(|_| kind != Kind::Tcp);
                figures.mean = figures.mean.max(mean);
            }
        }
        (node.name.clone(), figures)
    });
    figures.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Source, load};

    /// Rows of HAProxy 2.6: four requests each for a server that answers 500, one that answers
    /// nonsense, one whose answers break off, one that is not reached while another server is, and
    /// one that is not reached at all.
    const ROWS: &str = "\
# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,act,bck,\
chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,lbtot,tracked,type,rate,rate_lim,rate_max,check_status,\
check_code,check_duration,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,
b500,BACKEND,0,0,0,1,200,4,344,192,0,0,,0,0,0,0,UP,1,1,0,,0,18,0,,1,3,0,,4,,1,0,,4,,,,0,0,0,0,4,0,
http,bad,0,0,0,1,,4,344,192,,0,,0,0,0,0,no check,1,1,0,,,18,,,1,3,1,,4,,2,0,,4,,,,0,0,0,0,4,0,
http,nonsense,0,0,0,1,,4,360,836,,0,,0,4,0,0,no check,1,1,0,,,18,,,1,4,1,,4,,2,0,,4,,,,0,0,0,0,0,0,
http,cut,0,0,0,1,,4,344,208,,0,,0,4,0,0,no check,1,1,0,,,18,,,1,5,1,,4,,2,0,,4,,,,0,4,0,0,0,0,
http,gone,0,0,0,1,,4,0,0,,0,,0,0,0,4,no check,1,1,0,,,18,,,1,9,1,,4,,2,4,,4,,,,0,0,0,0,0,0,
http,lone,0,0,0,1,,16,360,868,,0,,4,0,12,0,no check,1,1,0,,,18,,,1,8,1,,4,,2,1,,2,,,,0,0,0,0,0,0,
http,well,0,0,0,1,,4,340,192,,0,,0,0,0,0,no check,1,1,0,,,18,,,1,7,1,,4,,2,0,,4,,,,0,4,0,0,0,0,
";

    fn read(tables: &[&str]) -> BTreeMap<String, Figures> {
        let tables: Vec<Vec<Row>> = tables.iter().map(|text| Row::parse(text).unwrap()).collect();
        of_rows(tables.iter().enumerate())
    }

    fn sum(figures: &Figures) -> (u64, u64) {
        let sum = Figures::default().replace(figures.clone());
        (sum.begun, sum.failed)
    }

    #[test]
    fn haproxys_rows_show_every_kind_of_failure() {
        let nodes = read(&[ROWS]);
        let sums: Vec<(&str, (u64, u64))> = nodes.iter().map(|(name, of)| (name.as_str(), sum(of))).collect();
        let expected = [
            ("bad", (4, 4)),
            ("cut", (4, 4)),
            ("gone", (4, 4)),
            ("lone", (16, 4)),
            ("nonsense", (4, 4)),
            ("well", (4, 0)),
        ];
        assert_eq!(sums, expected);
    }

    #[test]
    fn instances_are_added_and_reset_on_their_own() {
        let header = "# pxname,svname,type,stot,hrsp_5xx,req_tot,rtime,\n";
        let table = |stot: u64, failed: u64, rtime: u64| {
            format!("{header}http,a,2,{stot},{failed},{stot},{rtime},\ntcp,a,2,5,,,0,\n")
        };
        let mut before = read(&[&table(100, 10, 3), &table(200, 20, 7)])
            .remove("a")
            .unwrap();
        assert_eq!(
            (sum(&before), before.mean()),
            ((310, 30), Some(Duration::from_millis(7)))
        );
        // The first process is a new one.
        let now = read(&[&table(50, 1, 3), &table(230, 20, 7)]).remove("a").unwrap();
        let between = before.replace(now);
        assert_eq!((between.begun, between.failed), (50 + 30, 1));
    }

    #[test]
    fn the_golden_answer_of_haproxy_has_its_servers() {
        let nodes = read(&[include_str!("../../../tests/golden/haproxy-2.6.12/show_stat.csv")]);
        assert_eq!(nodes.keys().collect::<Vec<_>>(), ["s1", "s2", "s3", "t1"]);
    }

    #[test]
    fn absurd_numbers_do_no_harm() {
        let most = u64::MAX;
        let header = "# pxname,svname,type,stot,econ,eresp,hrsp_5xx,\n";
        let nodes = read(&[&format!(
            "{header}a,a,2,1,{most},{most},{most},\na,a,2,{most},1,1,1,\n"
        )]);
        assert_eq!(sum(&nodes["a"]), (most, most));
    }

    #[test]
    fn nginxs_log_has_the_figures_of_each_node() {
        let cluster = load(&Source::read("default").unwrap()).unwrap();
        let node = &cluster.nodes[0];
        let (tcp, http) = (node.tcp.unwrap(), node.http.unwrap());
        let mut tally = Tally::default();
        for line in [
            format!(
                r#"{{"kind":"http","status":200,"upstream":"{http}","connect":"0.000","first_byte":"0.008"}}"#
            ),
            format!(r#"{{"kind":"http","status":500,"upstream":"{http}","connect":"0.000"}}"#),
            format!(r#"{{"kind":"http","status":404,"upstream":"{http}","connect":"0.000"}}"#),
            format!(
                r#"{{"kind":"http","status":200,"upstream":"{http}, 127.0.0.1:1","connect":"-, 0.000"}}"#
            ),
            format!(r#"{{"kind":"tcp","status":200,"upstream":"{tcp}","connect":"0.000","first_byte":"9"}}"#),
        ] {
            tally.add_line(line.as_bytes());
        }
        let nodes = of_tally(&cluster.nodes, &tally);
        assert_eq!(
            (nodes.len(), sum(&nodes[&node.name])),
            (cluster.nodes.len(), (5, 2))
        );
    }
}
